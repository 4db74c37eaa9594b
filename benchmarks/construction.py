"""Building MT50 with the goals that ``metaworld.MT50(seed)`` draws."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.findings import Finding
from benchmarks.lines import Subject
from benchmarks.refusal import Refusal
from benchmarks.rounds import interleave
from benchmarks.settings import Settings


def measure(settings: Settings) -> list[Finding]:
    """Builds in a fresh process each time, so that nothing is left over from the last round."""
    goals: dict[int, Any] = {}
    versions: dict[str, Any] = {}

    def build(start: Callable[[], Subject], side: str, seed: int) -> Any:
        with start() as subject:
            versions[side] = subject.ask("versions")
            return subject.ask("goals", seed=seed)

    def our_turn(index: int) -> float:
        built = build(peers.ours, "ours", index)
        goals[index] = built["goals"]
        return built["seconds"]

    def peers_turn(index: int) -> float:
        built = build(peers.reference, "peer", index)
        require_same_goals(goals[index], built["goals"])
        return built["seconds"]

    rounds = interleave(our_turn, peers_turn, settings.rounds)
    return [
        Finding(
            name="construction",
            number=7,
            what="building MT50 with identical goals",
            peer=f"metaworld {versions['peer']['metaworld']}",
            bar=20.0,
            unit="MT50",
            rounds=rounds,
            check={"identical goals": sum(len(of_task) for of_task in goals[0].values())},
            versions=versions,
        )
    ]


def require_same_goals(ours: dict[str, Any], peers_: dict[str, Any]) -> None:
    """Compares all goals, bit by bit.

    Raises:
        Refusal: If one differs.
    """
    if set(ours) != set(peers_):
        raise Refusal(f"Only one side has goals for {', '.join(sorted(set(ours) ^ set(peers_)))}.")
    for task in ours:
        if not np.array_equal(np.array(ours[task]), np.array(peers_[task])):
            raise Refusal(f"{task}: our goals are not those of metaworld's MT50.")
