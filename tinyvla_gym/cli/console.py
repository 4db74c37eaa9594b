"""What the verbs share: tables, complaints, and how a user names an env."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tinyvla_gym.data.atomic import save_json
from tinyvla_gym.envs.registration import METAWORLD_TASKS, REACH_ID, metaworld_id
from tinyvla_gym.errors import UnknownNameError
from tinyvla_gym.evaluation.results import Results
from tinyvla_gym.evaluation.suites import suite_tasks
from tinyvla_gym.evaluation.task_result import TaskResult

_WIDE = 120  # columns of a log, which nobody's terminal limits
_GAP = 2  # between columns of a table
_SUITES = ("mt10", "mt50", "demo")


def _make_console(*, stderr: bool = False) -> Console:
    free = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    # Sentences and paths are printed as they are, whatever brackets and colons they hold.
    return Console(
        stderr=stderr, width=_WIDE if free else None, highlight=False, markup=False, emoji=False
    )


console = _make_console()
_errors = _make_console(stderr=True)


def complain(error: object) -> None:
    """Explains a failure on stderr."""
    _errors.print(Text("error:", style="bold red"), str(error), soft_wrap=True)


def note(words: str) -> None:
    """Says on stderr what is no failure, but worth knowing."""
    _errors.print(Text("note:", style="bold"), words, soft_wrap=True)


def write_json(path: Path | None, facts: dict[str, Any]) -> None:
    """Writes what a verb found, if the user asked for it."""
    if path is not None:
        save_json(path, facts)


def env_ids(name: str) -> list[str]:
    """Resolves what a user calls an env: an id, a MetaWorld task, or a suite.

    Raises:
        UnknownNameError: If it is none of them.
    """
    if name in gym.registry:
        return [name]
    if name in _SUITES or name == "reach-toy":
        return list(suite_tasks("reach" if name == "reach-toy" else name).values())
    task = name.removeprefix("TinyVLA/MetaWorld-").removesuffix("-v3")
    if task not in METAWORLD_TASKS:
        raise UnknownNameError("env", task, [*METAWORLD_TASKS, *_SUITES, REACH_ID])
    return [metaworld_id(task)]


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: int) -> None:
    """Prints a table whose lines never wrap.

    Args:
        headings: One per column; the second column gives way where the terminal is narrow.
        rows: One text per column.
        numbers: So many of the last columns are numbers.
    """
    widths = [max(len(cell) for cell in cells) for cells in zip(headings, *rows, strict=True)]
    spare = console.width - sum(widths) - _GAP * len(widths)
    widths[1] = max(len(headings[1]), widths[1] + min(spare, 0))
    table = Table(box=None, padding=(0, _GAP, 0, 0), header_style="bold")
    for place, (heading, width) in enumerate(zip(headings, widths, strict=True)):
        justify = "right" if place >= len(headings) - numbers else "left"
        table.add_column(heading, width=width, no_wrap=True, justify=justify)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_results(results: Results) -> None:
    """Prints a table of success rates with everything that they depend on."""
    headings = ("task", "sentence", "solved", "95 % interval", "steps", "ms per plan")
    print_table(headings, [_row(result) for result in results.tasks.values()], numbers=4)
    for line in results.summary():
        console.print(line, soft_wrap=True)


def _row(result: TaskResult) -> tuple[str, ...]:
    low, high = (100 * bound for bound in result.wilson95)
    return (
        result.task,
        result.sentence,
        f"{result.successes} of {result.episodes}",
        f"{low:.0f} to {high:.0f} %",
        f"{result.mean_steps:.0f}",
        "" if result.plan_ms is None else f"{result.plan_ms:.1f}",
    )
