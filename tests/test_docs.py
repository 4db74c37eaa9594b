"""The documentation's links lead somewhere, and its examples run."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

FENCE = re.compile(r"^(?:```|~~~).*?^(?:```|~~~)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The names under which a page's headings can be linked to."""
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    kept = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(prose)]
    return {heading.replace(" ", "-") for heading in kept}


def dead_links(page: Path) -> list[str]:
    """Links of a page to files or headings of this repository that do not exist."""
    dead = []
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        where, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", where):
            continue  # another site, or mail
        target = page.parent / where if where else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert dead_links(page) == []


@pytest.mark.parametrize("name", ["heads", "interface", "rigs"])
def test_the_examples_of_a_page_run_in_order(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # what they save is not the repository's
    page = ROOT / "docs" / f"{name}.md"
    examples = EXAMPLE.findall(page.read_text(encoding="utf-8"))

    assert examples
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, page.name, "exec"), names)


def test_dead_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# A `b` heading, long\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n[a](other.md) [b](other.md#a-b-heading-long) [c](#here) [d](mailto:x@y)\n"
        "[e](gone.md) [f](other.md#gone) [g](#gone)\n```\n[h](code.md)\n# Not a heading\n```\n"
    )

    assert dead_links(page) == ["gone.md", "other.md#gone", "#gone"]
