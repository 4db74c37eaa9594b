"""Sweeps: one condition is varied, everything else stays, seeds included."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.evaluation.protocols import Protocol, named_protocol
from tinyvla_gym.evaluation.results import Results

SWEEPS: dict[str, tuple[str, tuple[Any, ...]]] = {  # name -> setting, its values
    "replan": ("execute", (1, 2, 4, 8, 16, 50)),
    "delay": ("delay", (0, 1, 2, 5, 10, 15, 20)),
    "sentences": ("instructions", ("default", "train", "heldout", "blank")),
    "looks": ("randomize", (None, "light", "table", "camera", "distractors", "all")),
}

AXES = {
    "replan": "actions played per chunk",
    "delay": "control steps from a look to its plan",
    "sentences": "sentences",
    "looks": "what is changed about the pictures",
}

SWEEP_FILE = "sweep.json"

ORDERED = ("replan", "delay")
"""Sweeps whose values are numbers, so that a line may join them."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One value of what is varied, and what came of it.

    Attributes:
        label: The value, for people and folders.
        results: The evaluation there.
    """

    label: str
    results: Results


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """All that was found by varying one thing.

    Attributes:
        name: One of ``SWEEPS``.
        points: At least one.
    """

    name: str
    points: tuple[Point, ...]

    @property
    def axis(self) -> str:
        """What is varied."""
        return AXES[self.name]

    @property
    def shared(self) -> Results:
        """The first point, with what is varied as the protocol has it."""
        first = self.points[0].results
        setting, _ = SWEEPS[self.name]
        plain = named_protocol(first.conditions.name, suite=first.conditions.suite)
        common = replace(first.conditions, **{setting: getattr(plain, setting)})
        return replace(first, protocol=common.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Returns plain facts, for JSON."""
        points = {point.label: point.results.to_dict() for point in self.points}
        return {"sweep": self.name, "points": points}

    @classmethod
    def load(cls, path: Path) -> "Sweep":
        """Reads what ``evaluate --sweep`` wrote, or the folder that holds it.

        Raises:
            ConfigError: If it is not there or damaged.
        """
        path = path / SWEEP_FILE if path.is_dir() else path
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            points = tuple(
                Point(label=label, results=Results.from_dict(found))
                for label, found in facts["points"].items()
            )
            if facts["sweep"] not in SWEEPS or not points:
                raise ValueError(f"no such sweep, or no point: {facts['sweep']}")
        except OSError as problem:
            raise ConfigError(f"There is no sweep at {path}: {problem.strerror}.") from problem
        except (AttributeError, KeyError, TypeError, ValueError) as problem:
            raise ConfigError(f"{path} holds no sweep of ours: {problem!r}.") from problem
        return cls(name=facts["sweep"], points=points)


def sweep_protocols(name: str, protocol: Protocol, *, horizon: int | None) -> dict[str, Protocol]:
    """Lists the protocols of a sweep, by the label of their value.

    Args:
        name: One of ``SWEEPS``.
        protocol: What stays.
        horizon: Actions in one chunk of the policy, K; values that it cannot play are left out.
            None for a policy that plans no chunks.

    Raises:
        UnknownNameError: If there is no such sweep.
        ConfigError: If the policy plans no chunks, so that there is nothing to vary.
    """
    if name not in SWEEPS:
        raise UnknownNameError("sweep", name, SWEEPS)
    setting, values = SWEEPS[name]
    if name in ("replan", "delay"):
        if horizon is None:
            raise ConfigError(f"The sweep {name} varies how chunks are played; there are none.")
        most = horizon if name == "replan" else horizon - 1
        values = tuple(value for value in values if value <= most)
    return {
        "none" if value is None else str(value): replace(protocol, **{setting: value})
        for value in values
    }
