"""tinyvla-gym collect: scripted experts into a dataset."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from tinyvla_gym.cli.console import console, env_ids, write_json
from tinyvla_gym.cli.crew import Engine, hired
from tinyvla_gym.cli.progress import progress
from tinyvla_gym.demonstrations import Plan, collect
from tinyvla_gym.demonstrations.playing import ExpertPlayer
from tinyvla_gym.events import Outcome


@dataclass(frozen=True, kw_only=True)
class Collect:
    """Record demonstrations of scripted experts as a LeRobot dataset."""

    envs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="ENV [ENV ...]")]
    """Gymnasium ids, MetaWorld tasks such as drawer-open, or a suite: mt10, mt50, demo."""
    out: Path
    """Folder of the dataset; new or empty."""
    plan: tyro.conf.OmitArgPrefixes[Plan] = field(default_factory=Plan)
    """How many, and how."""
    workers: int = 1
    """Processes, one core each; the dataset does not depend on it."""
    engine: Engine = "local"
    """local: processes on this machine; ray: a cluster, see --address."""
    address: str | None = None
    """An existing Ray cluster; a local one is started if not given."""
    resume: bool = False
    """Go on with an interrupted collection."""
    append: bool = False
    """Add to a finished dataset until it has so many episodes per task."""
    json: Path | None = None
    """Also write the counts to this file."""

    def run(self) -> int:
        """Records."""
        ids = list(dict.fromkeys(name for one in self.envs for name in env_ids(one)))
        counts = {name: [0, 0] for name in ids}

        def note(name: str, outcome: Outcome) -> None:
            counts[name][0] += outcome.success
            counts[name][1] += 1

        crew = hired(ExpertPlayer, self.workers, self.engine, self.address)
        with progress() as show, crew as playing:
            total = collect(
                ids,
                self.out,
                self.plan,
                resume=self.resume,
                append=self.append,
                crew=playing,
                on_attempt=note,
                on_progress=show,
            )
        for name, (kept, tried) in counts.items():
            console.print(f"{name}: {kept} demonstrations of {tried} attempts", soft_wrap=True)
        console.print(f"{total} episodes in {self.out}", soft_wrap=True)
        write_json(self.json, {"episodes": total, "attempts": counts})
        return 0
