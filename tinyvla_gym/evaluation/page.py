"""The pieces of a page that needs no network: skeleton, bars, films, a plot."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from tinyvla_gym.evaluation.statistics import Interval

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 640, 300, 46, 52, 14  # of a plot


def page(title: str, body: Iterable[str]) -> str:
    """A whole page, styles and scripts inside.

    Args:
        title: Its heading.
        body: HTML.
    """
    inside = files("tinyvla_gym.evaluation")
    style, script = (inside.joinpath(f"report.{kind}").read_text() for kind in ("css", "js"))
    head = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{style}</style></head><body>"
    )
    inner = "\n".join([f"<h1>{escape(title)}</h1>", *body])
    return f"{head}\n{inner}\n<script>{script}</script></body></html>\n"


def bar(rate: float, interval: Interval | None = None) -> str:
    """A bar from 0 to 1 with its interval."""
    whiskers = ""
    if interval is not None:
        low, high = (100 * bound for bound in interval)
        whiskers = f"<b style='left:{low:.1f}%;width:{high - low:.1f}%'></b>"
    return f"<div class='bar'><i style='width:{100 * rate:.1f}%'></i>{whiskers}</div>"


def stacked(rate: float, interval: Interval) -> str:
    """A success rate [%] above its interval."""
    low, high = (100 * bound for bound in interval)
    return f"{100 * rate:.1f} %<small>{low:.1f} to {high:.1f}</small>"


def heading(text: str, *, kind: str = "") -> str:
    """A table heading that sorts its column."""
    return f"<th class='{kind}'><button>{escape(text)}</button></th>"


def film(path: Path, caption: str, *, failed: bool) -> str:
    """A film inside the page, with a caption of HTML."""
    data = base64.b64encode(path.read_bytes()).decode()
    return (
        f"<figure class='{'failed' if failed else 'solved'}'>"
        f"<video src='data:video/mp4;base64,{data}' loop muted playsinline controls "
        f"preload='metadata'></video><figcaption>{caption}</figcaption></figure>"
    )


def plot(
    labels: Sequence[str],
    rates: Sequence[float],
    intervals: Sequence[Interval],
    *,
    axis: str,
    ordered: bool,
) -> str:
    """Success rates with their intervals, as SVG.

    Args:
        labels: What stands under each point, evenly spaced.
        rates: 0 to 1.
        intervals: One per point.
        axis: What the labels are.
        ordered: Whether a line joins the points.
    """
    step = (_WIDTH - _LEFT - 20) / max(1, len(labels))
    across = [_LEFT + step * (place + 0.5) for place in range(len(labels))]

    def up(rate: float) -> float:
        return _TOP + (1 - rate) * (_HEIGHT - _BOTTOM - _TOP)

    grid = [
        f"<line class='grid' x1='{_LEFT}' x2='{_WIDTH - 20}' y1='{up(tick):.1f}' "
        f"y2='{up(tick):.1f}'/><text x='{_LEFT - 8}' y='{up(tick) + 4:.1f}' "
        f"text-anchor='end'>{100 * tick:.0f}</text>"
        for tick in (0, 0.25, 0.5, 0.75, 1)
    ]
    way = " ".join(f"{x:.1f},{up(rate):.1f}" for x, rate in zip(across, rates, strict=True))
    curve = f"<polyline class='curve' points='{way}'/>" if ordered else ""
    title = f"<text x='{(_LEFT + _WIDTH - 20) / 2}' y='{_HEIGHT - 6}' text-anchor='middle'>"
    points = [
        f"<line class='range' x1='{x:.1f}' x2='{x:.1f}' y1='{up(low):.1f}' y2='{up(high):.1f}'/>"
        f"<circle cx='{x:.1f}' cy='{up(rate):.1f}' r='5'>"
        f"<title>{escape(label)}: {100 * rate:.1f} % ({100 * low:.1f} to {100 * high:.1f})</title>"
        f"</circle><text x='{x:.1f}' y='{_HEIGHT - _BOTTOM + 22}' text-anchor='middle'>"
        f"{escape(label)}</text>"
        for x, label, rate, (low, high) in zip(across, labels, rates, intervals, strict=True)
    ]
    return (
        f"<svg class='plot' viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img'>{''.join(grid)}"
        f"{curve}{''.join(points)}{title}{escape(axis)}</text></svg>"
    )
