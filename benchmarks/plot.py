"""All ratios in one picture, drawn as SVG from the findings on disk."""

import json
import math
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.lines import ROOT
from benchmarks.refusal import Refusal
from tinyvla_gym.data.atomic import written_whole

RESULTS = ROOT / "docs/results/benchmarks.json"
PICTURE = ROOT / "docs/images/benchmarks.svg"

WIDTH, ROW, TOP, BOTTOM = 860, 44, 64, 58  # [px]
LEFT, RIGHT = 360, 780  # where the axis begins and ends [px]
DECADES = (1, 10, 100, 1000)
INK, SOFT, GRID, BLUE, AMBER = "#1f2933", "#6b7785", "#e3e8ee", "#2a6fbb", "#c77d0a"


def draw(results: Path, picture: Path) -> None:
    """Draws every ratio on file.

    Args:
        results: What ``python -m benchmarks NAME --json FILE`` wrote.
        picture: The SVG file to write.

    Raises:
        Refusal: If there is nothing to draw, or something was measured on a busy machine.
    """
    if not results.exists():
        raise Refusal(f"There are no findings in {results}: run the benchmarks with --json first.")
    findings = json.loads(results.read_text())["findings"]
    rows = {name: one for name, one in findings.items() if "ratio" in one}
    busy = [name for name, one in rows.items() if one["busy"]]
    if busy:
        raise Refusal(f"Taken on a busy machine, hence not for publication: {', '.join(busy)}.")
    if not rows:
        raise Refusal(f"There is no ratio in {results}.")
    with written_whole(picture) as partial:
        partial.write_text("\n".join(_svg(rows)) + "\n")


def _svg(rows: dict[str, dict[str, Any]]) -> Iterator[str]:
    height = TOP + ROW * len(rows) + BOTTOM
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13">'
    )
    yield f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
    yield _text(24, 30, "How many times faster than the peer", size=17, weight=600)
    foot = TOP + ROW * len(rows)
    for decade in DECADES:
        x = _x(decade)
        yield _line(x, TOP - 8, x, foot, GRID)
        yield _text(x, foot + 18, f"{decade}x", colour=SOFT, anchor="middle")
    for index, (name, one) in enumerate(rows.items()):
        yield from _row(TOP + ROW * index + ROW / 2, name, one)
    caption = "Software GL, no GPU. Dot: median of interleaved rounds on one core; line: all of "
    yield _text(24, height - 14, f"{caption}them; tick: the bar.", colour=SOFT, size=12)
    yield "</svg>"


def _row(y: float, name: str, one: dict[str, Any]) -> Iterator[str]:
    yield _text(24, y - 3, name, weight=600)
    yield _text(24, y + 13, one["peer"], colour=SOFT, size=11)
    colour = BLUE if one["met"] else AMBER
    bar = _x(one["bar"])
    yield _line(bar, y - 11, bar, y + 11, INK, width=1.5)
    yield _line(_x(one["lowest"]), y, _x(one["highest"]), y, colour, width=3)
    yield f'<circle cx="{_x(one["ratio"]):.1f}" cy="{y:.1f}" r="6" fill="{colour}"/>'
    yield _text(WIDTH - 24, y + 5, f"{one['ratio']:.3g}x", weight=600, anchor="end")


def _x(ratio: float) -> float:
    """Where a ratio stands on the logarithmic axis; what lies outside stands at its end."""
    share = math.log(ratio / DECADES[0]) / math.log(DECADES[-1] / DECADES[0])
    return LEFT + (RIGHT - LEFT) * min(max(share, 0.0), 1.0)


def _text(
    x: float,
    y: float,
    words: str,
    *,
    colour: str = INK,
    size: int = 13,
    weight: int = 400,
    anchor: str = "start",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" '
        f'font-weight="{weight}" text-anchor="{anchor}">{escape(words)}</text>'
    )


def _line(x: float, y: float, to_x: float, to_y: float, colour: str, *, width: float = 1) -> str:
    return (
        f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="{colour}" '
        f'stroke-width="{width}" stroke-linecap="round"/>'
    )
