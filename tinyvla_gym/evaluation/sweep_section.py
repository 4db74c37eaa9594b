"""What a page says about a sweep: its curve, its points, and which tasks suffer."""

from collections.abc import Iterator
from html import escape

from tinyvla_gym.evaluation.page import heading, plot, stacked
from tinyvla_gym.evaluation.sweeps import ORDERED, Sweep

CAPTION = (
    "Task average [%] over {axis}, with 95 % bootstrap intervals; the same seeds at every point."
)


def section(sweep: Sweep) -> Iterator[str]:
    """A sweep among other things on a page."""
    conditions = sweep.shared.conditions
    episodes = sum(one.results.episodes for one in sweep.points[:1])
    yield f"<h2>{escape(sweep.axis[0].upper() + sweep.axis[1:])}</h2>"
    yield (
        f"<p class='facts'>{escape(CAPTION.format(axis=sweep.axis))} {escape(conditions.title)}, "
        f"suite {escape(conditions.suite)}, {episodes} episodes each.</p>"
    )
    yield from curve(sweep)


def curve(sweep: Sweep) -> Iterator[str]:
    """The plot, and its numbers as a table."""
    labels = [point.label for point in sweep.points]
    rates = [point.results.task_average for point in sweep.points]
    intervals = [point.results.intervals95["task_average"] for point in sweep.points]
    yield plot(labels, rates, intervals, axis=sweep.axis, ordered=sweep.name in ORDERED)
    yield f"<div class='wide'><table><thead><tr><th>{escape(sweep.axis)}</th>"
    yield "<th class='number'>task average</th><th class='number'>solved</th></tr></thead><tbody>"
    for point, rate, interval in zip(sweep.points, rates, intervals, strict=True):
        yield (
            f"<tr><td>{escape(point.label)}</td><td class='number'>{stacked(rate, interval)}</td>"
            f"<td class='number'>{point.results.successes} of {point.results.episodes}</td></tr>"
        )
    yield "</tbody></table></div>"


def tasks_by_point(sweep: Sweep) -> Iterator[str]:
    """Which tasks suffer: one row each, one column for each point."""
    labels = "".join(f"<th class='number'>{escape(point.label)}</th>" for point in sweep.points)
    yield "<h2>Solved, task by task</h2><div class='wide'><table class='sorts'><thead><tr>"
    yield f"{heading('task')}{labels}</tr></thead><tbody>"
    for task in sweep.points[0].results.tasks:
        found = [point.results.tasks[task] for point in sweep.points]
        cells = (f"<td class='number'>{one.successes} of {one.episodes}</td>" for one in found)
        yield f"<tr><td>{escape(task)}</td>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"
