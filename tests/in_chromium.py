"""A page as headless Chromium shows it, at a width and in a scheme, and what a script finds."""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
PHONE_PX, LAPTOP_PX = 390, 1280

_FRAME = """<!doctype html><meta charset="utf-8"><body style="margin:0">
<iframe id="page" style="border:0;width:{width}px;height:2000px"></iframe>
<pre id="found"></pre><script>
const problems = [];
const page = document.getElementById("page");
page.srcdoc = {source};
page.addEventListener("load", () => {{
  const view = page.contentWindow;
  view.addEventListener("error", (event) => problems.push(event.message));
  const look = () => {{ {script} }};
  let found;
  try {{ found = look(); }} catch (error) {{ problems.push(String(error)); }}
  const asked = view.performance.getEntriesByType("resource").map((one) => one.name);
  document.getElementById("found").textContent = JSON.stringify({{
    found, problems, asked: asked.filter((name) => /^(https?|ftp|ws):/.test(name)),
    width: view.document.documentElement.scrollWidth,
    background: view.getComputedStyle(view.document.body).backgroundColor,
  }});
}});
</script>"""


def seen(
    page: Path, folder: Path, *, width: int = LAPTOP_PX, dark: bool = False, script: str = ""
) -> dict[str, Any]:
    """Shows a page and looks at it.

    Args:
        page: An HTML file.
        folder: For what Chromium needs to write.
        width: Of the window [px].
        dark: Whether the user likes it dark.
        script: JavaScript that returns ``found``; ``view`` is the page's window.

    Returns:
        ``found``; ``problems``, errors of scripts; ``asked``, what was asked of a network; the
        page's whole ``width`` [px], and its ``background``.
    """
    source = json.dumps(page.read_text(encoding="utf-8")).replace("</", "<\\/")
    frame = folder / "frame.html"
    frame.write_text(_FRAME.format(width=width, source=source, script=script), encoding="utf-8")
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    answer = subprocess.run(
        [
            *(str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", scheme),
            *("--allow-file-access-from-files", f"--user-data-dir={folder / 'profile'}"),
            *(f"--window-size={LAPTOP_PX},2000", "--virtual-time-budget=4000", "--dump-dom"),
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=os.environ | {"HOME": str(folder)},
    )
    found = re.search(r'<pre id="found">(.*?)</pre>', answer.stdout, re.DOTALL)
    assert found, answer.stderr[-2000:]
    assert found[1], answer.stderr[-2000:]
    return json.loads(html.unescape(found[1]))
