"""Progress: bars on a terminal; in a log, a line now and then."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tinyvla_gym.cli.console import console

LINE_EVERY_S = 10.0
"""Nobody watches a log: so often it says how far things are."""

_PACE_OVER_S = 600.0  # episodes end in bursts


class Show:
    """Shows how far things are, each under its own name.

    ``show("demonstrations", 3, 50)`` begins or moves a bar; without a terminal it prints a line
    every ten seconds, and one at the end.
    """

    def __init__(self, bars: Progress, *, watched: bool) -> None:
        """Begins.

        Args:
            bars: Keeps the times, and draws if somebody watches.
            watched: Whether somebody does.
        """
        self._bars = bars
        self._watched = watched
        self._tasks: dict[str, TaskID] = {}
        self._said_s = time.monotonic()

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
        """Says how far one thing is.

        Args:
            what: Its name.
            done: How much of it is done.
            total: How much of it there is.
            note: What else to say.
        """
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total, note="")
        self._bars.update(self._tasks[what], completed=done, note=note)
        late = time.monotonic() - self._said_s >= LINE_EVERY_S
        if not self._watched and (late or done >= total):
            self._said_s = time.monotonic()
            console.print(self._line(what), soft_wrap=True)

    def _line(self, what: str) -> str:
        task = self._bars.tasks[self._bars.task_ids.index(self._tasks[what])]
        line = f"{what}: {task.completed:.0f} of {task.total:.0f}, {_duration(task.elapsed)}"
        if not task.finished:
            line += f", {_duration(task.time_remaining)} left"
        note = task.fields["note"]
        return f"{line}, {note}" if note else line


@contextmanager
def progress() -> Iterator[Show]:
    """Yields what shows progress, with estimates of the time left."""
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    ]
    watched = console.is_terminal
    with Progress(
        *columns,
        console=console,
        disable=not watched,
        get_time=time.monotonic,
        speed_estimate_period=_PACE_OVER_S,
    ) as bars:
        yield Show(bars, watched=watched)


def _duration(seconds: float | None) -> str:
    return "unknown time" if seconds is None else str(timedelta(seconds=round(seconds)))
