"""tinyvla-gym data repair: what was interrupted is finished, and damage is found."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from tinyvla_gym.cli.console import complain, console, write_json
from tinyvla_gym.cli.progress import progress


@dataclass(frozen=True, kw_only=True)
class Repair:
    """Make a dataset of a recording that was interrupted, and check that all can be read.

    No episode is lost but the one that was open when the recording broke off.
    """

    dataset: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
    """Folder of a dataset, or of a recording that was never finished."""
    out: Path | None = None
    """If some episodes cannot be read: folder for a new dataset of all the others."""
    json: Path | None = None
    """Also write what was found and done to this file."""

    def run(self) -> int:
        """Repairs."""
        from tinyvla_gym.data.lerobot.repair import repair

        with progress() as show:
            done = repair(
                self.dataset,
                salvage=self.out,
                progress=lambda read, total: show("reading", read, total),
            )
        for line in (
            done.merged and f"{done.merged} staged episodes are now part of the dataset",
            done.orphans and f"{len(done.orphans)} files that no episode needed were removed",
            f"{done.episodes} episodes in {self.dataset}",
        ):
            if line:
                console.print(line, soft_wrap=True)
        for path in done.set_aside:
            complain(f"a staged episode could not be read; it lies in {path}")
        for index, problem in done.unreadable.items():
            complain(f"episode {index}: {problem}")
        saved = self.out is not None and len(done.unreadable) < done.episodes
        if done.unreadable and saved:
            console.print(
                f"the {done.episodes - len(done.unreadable)} others are in {self.out}",
                soft_wrap=True,
            )
        elif done.unreadable:
            complain("name a folder with --out to keep the others.")
        facts = {
            "episodes": done.episodes,
            "merged": done.merged,
            "set_aside": [str(path) for path in done.set_aside],
            "orphans": [str(path) for path in done.orphans],
            "unreadable": {str(index): problem for index, problem in done.unreadable.items()},
        }
        write_json(self.json, facts)
        return 1 if done.set_aside or (done.unreadable and not saved) else 0
