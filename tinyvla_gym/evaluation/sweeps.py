"""Sweeps: one condition is varied, everything else stays, seeds included."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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


def unswept(points: Sequence[Point], name: str) -> Protocol:
    """What the points of a sweep share: the varied setting is the named protocol's own again."""
    setting, _ = SWEEPS[name]
    protocol = points[0].results.conditions
    plain = named_protocol(protocol.name, suite=protocol.suite)
    return replace(protocol, **{setting: getattr(plain, setting)})
