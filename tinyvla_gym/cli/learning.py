"""What train and distill have in common: what they show while they learn, and what they leave."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tinyvla_gym.cli.console import console, write_json
from tinyvla_gym.cli.progress import Show, progress
from tinyvla_gym.data.atomic import check_writable

if TYPE_CHECKING:
    from tinyvla_gym.training.logbook import Progress

OnProgress = Callable[["Progress"], None]


def learn(
    out: Path,
    json: Path | None,
    work: Callable[[Show, OnProgress], object],
    *,
    what: str,
    facts: Callable[["Progress"], str],
) -> int:
    """Does a verb's work, and says where the policy is.

    Args:
        out: Folder of the run.
        json: Also gets the last line of the log, be it of an earlier run that was only resumed.
        work: Told what shows progress, and whom to tell of each line of the log.
        what: What the progress of the learning is called.
        facts: What is said of a line beside its step.
    """
    from tinyvla_gym.training.logbook import last_line
    from tinyvla_gym.training.team import launched_rank

    check_writable(out / "train.json")
    with progress() as show:
        work(show, lambda line: show(what, line.step, line.steps, facts(line)))
    if launched_rank() == 0:
        console.print(f"policy in {out / 'checkpoint'}", soft_wrap=True)
        line = last_line(out)
        write_json(json, asdict(line) if line else {})
    return 0
