"""What the verbs share: tables, complaints, and how a user names an env."""

import os
import sys
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

_WIDE = 120  # columns of a log, which nobody's terminal limits
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
    task = name.removeprefix("TinyVLA/").removeprefix("MetaWorld-").removesuffix("-v3")
    if task not in METAWORLD_TASKS:
        raise UnknownNameError("env", task, [*METAWORLD_TASKS, *_SUITES, REACH_ID])
    return [metaworld_id(task)]


def table(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """Begins a table whose lines never wrap; the second column gives way if it must.

    Args:
        columns: Headings of text.
        numbers: Headings of numbers, which follow.
    """
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for place, heading in enumerate(columns):
        made.add_column(heading, no_wrap=True, min_width=None if place == 1 else len(heading))
    for heading in numbers:
        made.add_column(heading, justify="right", no_wrap=True, min_width=len(heading))
    return made


def print_results(results: Results) -> None:
    """Prints a table of success rates with everything that they depend on."""
    numbers = ("solved", "95 % interval", "steps", "ms per plan")
    rates = table("task", "sentence", numbers=numbers)
    for result in results.tasks.values():
        low, high = (100 * bound for bound in result.wilson95)
        rates.add_row(
            result.task,
            result.sentence,
            f"{result.successes} of {result.episodes}",
            f"{low:.0f} to {high:.0f} %",
            f"{result.mean_steps:.0f}",
            "" if result.plan_ms is None else f"{result.plan_ms:.1f}",
        )
    console.print(rates)
    for line in results.summary():
        console.print(line, soft_wrap=True)
