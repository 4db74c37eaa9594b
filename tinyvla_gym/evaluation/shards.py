"""Shards on disk: an evaluation that is broken off loses what was being played, and no more."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyvla_gym.data.atomic import save_json
from tinyvla_gym.errors import ConfigError, OutputError
from tinyvla_gym.evaluation.playing import Played

_FACTS = "run.json"


class ShardFolder:
    """Keeps finished shards, each written whole, and the facts that all of them depend on."""

    def __init__(self, path: Path) -> None:
        """Names a folder; see ``open``."""
        self.path = path

    def open(self, facts: Mapping[str, Any], *, resume: bool) -> None:
        """Begins a new evaluation here, or goes on with the one that was broken off.

        Args:
            facts: Everything that the results depend on, in plain JSON.
            resume: Whether to go on, if there is something to go on with.

        Raises:
            OutputError: If there is one and nobody asked to go on, or the place is read-only.
            ConfigError: If what it depends on has changed since.
        """
        wanted = json.loads(json.dumps(facts))
        if (self.path / _FACTS).exists():
            if not resume:
                raise OutputError(
                    self.path,
                    "it holds an evaluation that was broken off; add --resume to go on, or "
                    "choose another folder.",
                )
            self._check_same(wanted)
        else:
            save_json(self.path / _FACTS, wanted)

    def load(self, task: str, first: int) -> Played | None:
        """Reads a shard; None if it was never finished, or was damaged since."""
        try:
            text = self._place(task, first).read_text(encoding="utf-8")
            return Played.from_dict(json.loads(text))
        except (OSError, ValueError, KeyError, TypeError):
            return None  # and so it is played again

    def save(self, played: Played) -> None:
        """Keeps a shard.

        Raises:
            OutputError: If the place cannot be written to.
        """
        save_json(self._place(played.task, played.first), played.to_dict())

    def clear(self) -> None:
        """Forgets everything, once the results are written."""
        if self.path.is_dir():
            for file in self.path.glob("*.json"):
                file.unlink()
            self.path.rmdir()

    def _place(self, task: str, first: int) -> Path:
        return self.path / f"{task}-{first:06d}.json"

    def _check_same(self, wanted: Mapping[str, Any]) -> None:
        try:
            found = json.loads((self.path / _FACTS).read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            raise OutputError(
                self.path, f"its {_FACTS} is damaged ({problem}). Choose another folder."
            ) from problem
        changed = _differences(found, wanted)
        if changed:
            listed = "\n".join(f"  - {line}" for line in changed[:3])
            raise ConfigError(
                f"The evaluation in {self.path.parent} was begun under other conditions:\n"
                f"{listed}\nGo on under those, or choose another folder."
            )


def _differences(found: Any, wanted: Any, where: str = "") -> list[str]:
    """Says where two plain values depart from each other."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return [
            line
            for key in sorted(found.keys() | wanted.keys())
            for line in _differences(found.get(key), wanted.get(key), f"{where} {key}".strip())
        ]
    return [] if found == wanted else [f"{where}: {found} then, {wanted} now"]
