"""A page with the numbers and the films of an evaluation."""

import os
from html import escape
from pathlib import Path
from urllib.parse import quote

from tinyvla_gym.data.atomic import written_whole
from tinyvla_gym.evaluation.results import Results, TaskResult

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
       color: #1b1d21; background: #fafaf8 }
h1 { font-size: 1.6rem; margin: 0 } p { margin: .3rem 0 } p.facts { color: #666 }
table { border-collapse: collapse; width: 100%; margin: 1.5rem 0 }
th, td { text-align: left; padding: .35rem .8rem; border-bottom: 1px solid #e2e0da }
th { font-weight: 600; white-space: nowrap }
td:first-child, td.number { white-space: nowrap }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
.bar { position: relative; height: .6rem; width: 12rem; background: #e9e7e1; border-radius: .3rem }
.bar i { position: absolute; inset: 0 auto 0 0; background: #2ecc71; border-radius: .3rem }
.bar b { position: absolute; top: -.15rem; height: .9rem; background: rgba(27,29,33,.12);
         box-sizing: border-box; border: solid #1b1d21; border-width: 0 2px }
.films { display: grid; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); gap: 1rem }
figure { margin: 0; background: #fff; border: 1px solid #e2e0da; border-radius: .5rem;
         overflow: hidden }
video { width: 100%; display: block; background: #18191e } figcaption { padding: .5rem .8rem }
"""
_HEADINGS = ("solved", "", "95 % interval", "steps", "ms per plan")


def write_report(results: Results, path: Path, *, title: str, videos: Path | None = None) -> None:
    """Writes a page that needs nothing but the films beside it.

    Args:
        results: What to show.
        path: The page.
        title: Its heading.
        videos: Folder with one ``<task>.mp4`` per task; films that do not exist are left out.

    Raises:
        OutputError: If the place cannot be written to.
    """
    *found, conditions = results.summary()
    headings = "".join(f"<th class='number'>{heading}</th>" for heading in _HEADINGS)
    page = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        *(f"<p>{escape(line)}</p>" for line in found),
        f"<p class='facts'>{escape(conditions)}. Bars carry Wilson 95 % intervals.</p>",
        f"<table><tr><th>task</th><th>sentence</th>{headings}</tr>",
        *(_row(result) for result in results.tasks.values()),
        "</table><div class='films'>",
        *(_film(result, path, videos) for result in results.tasks.values()),
        "</div></body></html>",
    ]
    with written_whole(path) as partial:
        partial.write_text("\n".join(page) + "\n", encoding="utf-8")


def _row(result: TaskResult) -> str:
    low, high = (100 * bound for bound in result.wilson95)
    plan = "" if result.plan_ms is None else f"{result.plan_ms:.1f}"
    return (
        f"<tr><td>{escape(result.task)}</td><td>{escape(result.sentence)}</td>"
        f"<td class='number'>{result.successes} of {result.episodes}</td>"
        f"<td><div class='bar'><i style='width:{100 * result.rate:.1f}%'></i>"
        f"<b style='left:{low:.1f}%;width:{high - low:.1f}%'></b></div></td>"
        f"<td class='number'>{low:.0f} to {high:.0f} %</td>"
        f"<td class='number'>{result.mean_steps:.0f}</td><td class='number'>{plan}</td></tr>"
    )


def _film(result: TaskResult, page: Path, videos: Path | None) -> str:
    film = videos / f"{result.task}.mp4" if videos else None
    if film is None or not film.exists():
        return ""
    source = quote(Path(os.path.relpath(film, page.parent)).as_posix())
    first = result.outcomes[0]
    ended = f"solved at step {first.success_step}" if first.success else "not solved"
    return (
        f"<figure><video src='{source}' autoplay loop muted playsinline controls></video>"
        f"<figcaption><strong>{escape(result.task)}</strong>, seed {first.seed}: {ended}"
        "</figcaption></figure>"
    )
