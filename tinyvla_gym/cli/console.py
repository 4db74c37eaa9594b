"""What the verbs share: tables, progress, complaints, and how a user names an env."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium as gym
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tinyvla_gym.data.atomic import save_json
from tinyvla_gym.envs.registration import METAWORLD_TASKS, metaworld_id
from tinyvla_gym.errors import UnknownNameError
from tinyvla_gym.evaluation.results import Results
from tinyvla_gym.evaluation.statistics import wilson_interval
from tinyvla_gym.evaluation.suites import suite_tasks

console = Console(highlight=False)
_errors = Console(stderr=True, highlight=False)

_SUITES = ("mt10", "mt50", "demo")


def complain(error: object) -> None:
    """Explains a failure on stderr."""
    _errors.print(f"[bold red]error:[/] {error}", soft_wrap=True)


@contextmanager
def progress(total: int, what: str) -> Iterator[Any]:
    """A bar with an estimate of the time left; yields a function that moves it on.

    Args:
        total: Things to do.
        what: What is being done.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=total, note="")

        def advance(count: int = 1, note: str = "") -> None:
            bar.update(task, advance=count, note=note)

        yield advance


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
    task = name.removesuffix("-v3")
    if task not in METAWORLD_TASKS:
        ours = [known for known in gym.registry if known.startswith("TinyVLA/")]
        raise UnknownNameError("env", name, [*METAWORLD_TASKS, *_SUITES, *ours[-1:]])
    return [metaworld_id(task)]


def print_results(results: Results) -> None:
    """Prints a table of success rates with everything that they depend on."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("task", style="bold")
    table.add_column("sentence")
    for heading in ("successes", "95 % interval", "steps", "ms per plan"):
        table.add_column(heading, justify="right")
    for result in results.tasks.values():
        low, high = (100 * bound for bound in result.wilson95)
        table.add_row(
            result.task,
            result.sentence,
            f"{result.successes} of {result.episodes}",
            f"{low:.0f} to {high:.0f} %",
            f"{result.mean_steps:.0f}",
            "" if result.plan_ms is None else f"{result.plan_ms:.0f}",
        )
    console.print(table)
    low, high = (100 * bound for bound in wilson_interval(results.successes, results.episodes))
    protocol = results.protocol
    console.print(
        f"{results.successes} of {results.episodes} episodes "
        f"({100 * results.task_average:.1f} % task average; pooled 95 % interval "
        f"{low:.1f} to {high:.1f} %), policy {results.policy}, seeds from {protocol['seed']}, "
        f"at most {results.horizon} steps, {protocol['instructions']} sentences, "
        f"one training seed, {results.seconds:.0f} s"
    )
    if results.tier_average is not None:
        tiers = ", ".join(f"{tier} {100 * rate:.1f}" for tier, rate in results.tiers.items())
        console.print(f"tier average {100 * results.tier_average:.1f} % ({tiers})")
