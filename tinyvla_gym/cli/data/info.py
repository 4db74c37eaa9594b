"""tinyvla-gym data info: what a dataset holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from tinyvla_gym.cli.console import console, print_table, write_json


@dataclass(frozen=True, kw_only=True)
class Info:
    """Say what a dataset holds: episodes, tasks, cameras, state, action, size."""

    dataset: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
    """Folder of a dataset."""
    json: Path | None = None
    """Also write it to this file."""

    def run(self) -> int:
        """Prints."""
        from tinyvla_gym.data.inspection import summary
        from tinyvla_gym.data.lerobot import Dataset

        facts = summary(Dataset(self.dataset))
        cameras = ", ".join(
            f"{name} {one['height']} x {one['width']} px ({one['kept_as']})"
            for name, one in facts["cameras"].items()
        )
        for line in (
            f"{facts['episodes']} episodes of {len(facts['tasks'])} tasks, "
            f"{facts['solved']} solved",
            f"{facts['frames']} frames at {facts['control_hz']:g} Hz: "
            f"{facts['duration_s'] / 60:.1f} min, {facts['size_bytes'] / 1e6:.1f} MB",
            f"cameras: {cameras or 'none'}",
            f"state: {', '.join(facts['state'])}",
            f"action ({facts['action_mode']}): {', '.join(facts['action'])}",
            f"drawn by: {facts['profile'] or 'unknown'}; acted: {', '.join(facts['sources'])}",
            f"fingerprint: {facts['fingerprint'][:16]}",
        ):
            console.print(line, soft_wrap=True)
        rows = [
            (
                task,
                str(one["sentences"]),
                str(one["episodes"]),
                str(one["solved"]),
                f"{one['mean_frames']:.0f}",
            )
            for task, one in facts["tasks"].items()
        ]
        headings = ("task", "sentences", "episodes", "solved", "mean frames")
        print_table(headings, rows, numbers=4)
        write_json(self.json, facts)
        return 0
