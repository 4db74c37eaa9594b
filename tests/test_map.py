"""The README's map of the package lists exactly what is there, and says what each thing is.

The map stands between ``<!-- map -->`` and ``<!-- /map -->``: one line per file or folder, two
spaces deeper inside a folder, name first, then at least two spaces, then a few words. It goes one
folder deep. When this test fails, it prints a map that can be pasted.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UNMENTIONED = ("__init__.py", "__pycache__", "py.typed")


def listing(folder: Path, depth: int = 0) -> list[tuple[int, Path]]:
    """What a map of ``folder`` shows: depth and path, folders after files, two levels."""
    inside = [path for path in folder.iterdir() if path.name not in UNMENTIONED]
    found = []
    for path in sorted(inside, key=lambda path: (path.is_dir(), path.name)):
        found.append((depth, path))
        if path.is_dir() and depth == 0:
            found += listing(path, depth + 1)
    return found


def label(depth: int, path: Path) -> str:
    return "  " * depth + path.name + "/" * path.is_dir()


def description(path: Path) -> str:
    """The first line of a module's or package's docstring."""
    source = path / "__init__.py" if path.is_dir() else path
    if source.suffix != ".py" or not source.exists():
        return "..."
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or "..."
    return docstring.splitlines()[0].rstrip(".")


def drawn_map(folder: Path) -> str:
    """A map to paste into the README."""
    rows = [(label(depth, path), description(path)) for depth, path in listing(folder)]
    width = max(len(name) for name, _ in rows) + 2
    lines = [f"{name:<{width}}{words}" for name, words in rows]
    return "\n".join(["<!-- map -->", "```text", *lines, "```", "<!-- /map -->"])


def mapped_rows(readme: str) -> list[tuple[str, str]]:
    """Reads the map in a README: indented name and description, line by line."""
    block = re.search(r"<!-- map -->(.*)<!-- /map -->", readme, re.DOTALL)
    lines = block[1].splitlines() if block else []
    rows = [re.fullmatch(r"( *\S+)(?:  +(.*))?", line.rstrip()) for line in lines]
    return [(row[1], row[2] or "") for row in rows if row and not row[1].startswith("```")]


def check_map(readme: str, folder: Path) -> None:
    rows = mapped_rows(readme)
    advice = f"paste this into README.md:\n\n{drawn_map(folder)}\n"

    assert [name for name, _ in rows] == [label(*entry) for entry in listing(folder)], advice
    assert all(words for _, words in rows), "each line of the map needs a few words"


def test_the_readme_maps_the_package() -> None:
    check_map((ROOT / "README.md").read_text(encoding="utf-8"), ROOT / "tinyvla_gym")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for place, source in {
        "__init__.py": "",
        "py.typed": "",
        "loop.py": '"""The loop.\n\nMore."""',
        "envs/__init__.py": '"""Worlds."""',
        "envs/words.json": "{}",
        "envs/twins/arm.py": "",
    }.items():
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return tmp_path


GOOD = """
# Title

<!-- map -->
```text
loop.py       The loop
envs/         Worlds
  words.json  ...
  twins/      ...
```
<!-- /map -->
"""


def test_the_map_that_a_failure_prints_is_the_one_that_passes(package: Path) -> None:
    assert drawn_map(package) == GOOD.split("\n\n")[1].strip()

    check_map(GOOD, package)


BROKEN = {
    "no map": lambda text: "# Title",
    "a file is missing": lambda text: text.replace("loop.py       The loop\n", ""),
    "a file is gone": lambda text: text.replace("loop.py", "loop.py  x\nold.py"),
    "a file is in the wrong folder": lambda text: text.replace("  words.json", "words.json"),
    "a folder looks like a file": lambda text: text.replace("envs/", "envs "),
    "a line says nothing": lambda text: text.replace("Worlds", ""),
}


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_map_is_caught(spoil, package: Path) -> None:
    with pytest.raises(AssertionError, match=r"paste this|needs a few words"):
        check_map(spoil(GOOD), package)
