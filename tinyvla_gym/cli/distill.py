"""tinyvla-gym distill: a policy that takes ten steps per plan into one that takes one."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinyvla_gym.cli.learning import OnProgress, learn
from tinyvla_gym.cli.progress import Show
from tinyvla_gym.errors import MissingExtraError

if TYPE_CHECKING:
    from tinyvla_gym.training.logbook import Progress


@dataclass(frozen=True, kw_only=True)
class Distill:
    """Teach a one-step head to plan as a diffusion or flow policy does; eyes and reader stay."""

    teacher: str = "nano"
    """A bundled policy's name, a folder or a hub id."""
    data: Path
    """Folder of a dataset that the teacher may look at, such as its training data."""
    out: Path
    """Folder of the run; the policy will be in its checkpoint/."""
    steps: int = 3_000
    """Optimiser steps of 256 plans."""
    looks: int = 2
    """How often the teacher looks at each frame and plans."""
    seed: int = 0
    """Seed of noise, augmentation and order."""
    name: str | None = None
    """What reports call the policy; the teacher's name and -fast if not given."""
    resume: bool = False
    """Go on with an interrupted run."""
    json: Path | None = None
    """Also write the last line of the log to this file."""

    def run(self) -> int:
        """Distils."""
        try:
            from tinyvla_gym.training.distilling import distill_on_dataset
        except ModuleNotFoundError as error:
            raise MissingExtraError("Distilling", "tinyvla") from error

        def work(show: Show, on_progress: OnProgress) -> None:
            distill_on_dataset(
                self.data,
                self.out,
                self.teacher,
                name=self.name,
                steps=self.steps,
                looks=self.looks,
                seed=self.seed,
                resume=self.resume,
                on_decoded=lambda done, total: show("decoding the dataset", done, total),
                on_taught=lambda done, total: show("the teacher plans", done, total),
                on_progress=on_progress,
            )

        return learn(self.out, self.json, work, what="learning", facts=_facts)


def _facts(line: "Progress") -> str:
    return f"loss {line.loss:.5f}, {line.samples_per_s:.0f} plans/s"
