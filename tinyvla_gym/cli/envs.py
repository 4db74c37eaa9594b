"""tinyvla-gym envs: which worlds there are."""

from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym

from tinyvla_gym.cli.console import print_table, write_json
from tinyvla_gym.envs.registration import METAWORLD_TASKS, metaworld_id
from tinyvla_gym.envs.sentences import sentences
from tinyvla_gym.evaluation.suites import TIERS


@dataclass(frozen=True, kw_only=True)
class Envs:
    """List every env: its Gymnasium id, difficulty tier and default sentence."""

    json: Path | None = None
    """Also write the list to this file."""

    def run(self) -> int:
        """Prints the list."""
        tier_of = {task: tier for tier, tasks in TIERS.items() for task in tasks}
        rows = [
            {"id": metaworld_id(task), "tier": tier_of[task], "sentence": sentences(task)[0]}
            for task in METAWORLD_TASKS
        ]
        known = {row["id"] for row in rows}
        others = [name for name in gym.registry if name.startswith("TinyVLA/")]
        rows += [{"id": name, "tier": "", "sentence": ""} for name in others if name not in known]
        headings = ("id", "sentence", "tier")
        print_table(headings, [[row[key] for key in headings] for row in rows], numbers=0)
        write_json(self.json, {"envs": rows})
        return 0
