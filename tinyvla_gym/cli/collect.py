"""tinyvla-gym collect: scripted experts, or a person, into a dataset."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from tinyvla_gym.cli.console import console, env_ids, write_json
from tinyvla_gym.cli.crew import Engine, hired
from tinyvla_gym.cli.picture import TerminalPicture
from tinyvla_gym.cli.progress import progress
from tinyvla_gym.demonstrations import Plan, collect
from tinyvla_gym.demonstrations.by_hand import collect_by_hand
from tinyvla_gym.demonstrations.playing import ExpertPlayer
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.events import Outcome
from tinyvla_gym.robots.teleop.keyboard import HELP


@dataclass(frozen=True, kw_only=True)
class Collect:
    """Record demonstrations of scripted experts, or of a person, as a LeRobot dataset."""

    envs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="ENV [ENV ...]")]
    """Gymnasium ids, MetaWorld tasks such as drawer-open, or a suite: mt10, mt50, demo."""
    out: Path
    """Folder of the dataset; new or empty."""
    plan: tyro.conf.OmitArgPrefixes[Plan] = field(default_factory=Plan)
    """How many, and how."""
    cameras: Annotated[dict[str, int] | None, tyro.conf.arg(metavar="NAME PX ...")] = None
    """Cameras and the edges of their square pictures [px]; the env's own if not given."""
    profile: str | None = None
    """How pictures are drawn: fast-1, fast-2, shade-1 or parity-1; the env's own if not given."""
    teleop: str | None = None
    """Drive by hand, in real time: keyboard, spacemouse, or module:Class of one's own."""
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
        if self.teleop is not None:
            return self._by_hand(ids, self.teleop)
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
                env_options=self._env_options(),
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

    def _env_options(self) -> dict[str, Any]:
        asked = {"cameras": self.cameras, "profile": self.profile}
        return {name: value for name, value in asked.items() if value is not None}

    def _by_hand(self, ids: list[str], device: str) -> int:
        if len(ids) != 1:
            raise ConfigError(f"A person drives one env at a time, not {len(ids)}.")
        counts = [0, 0]

        def note(outcome: Outcome) -> None:
            counts[0] += outcome.success
            counts[1] += 1

        caption = HELP if device == "keyboard" else ""
        total = collect_by_hand(
            ids[0],
            self.out,
            self.plan,
            device,
            env_options=self._env_options(),
            resume=self.resume,
            append=self.append,
            listeners=[TerminalPicture(caption)] if console.is_terminal else (),
            on_attempt=note,
        )
        console.print(f"{counts[0]} of {counts[1]} attempts kept", soft_wrap=True)
        console.print(f"{total} episodes in {self.out}", soft_wrap=True)
        write_json(self.json, {"episodes": total, "attempts": {ids[0]: counts}})
        return 0
