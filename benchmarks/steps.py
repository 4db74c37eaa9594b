"""Steps without pictures: against metaworld, to nine decimals the same, and against EnvPool."""

from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.findings import Finding
from benchmarks.refusal import Refusal
from benchmarks.rounds import interleave
from benchmarks.settings import Settings

STEPS = 100
MAX_DIFFERENCE = 1e-9
MAX_APART_M = 2e-3  # its MuJoCo is another and may round otherwise


def against_metaworld(settings: Settings) -> list[Finding]:
    """Compares with metaworld; both sides play the same steps, and must end the same."""
    tasks = settings.chosen_tasks("10")
    with peers.ours() as ours, peers.reference() as peer:
        worst: list[float] = []
        ends: dict[int, Any] = {}

        def our_turn(index: int) -> float:
            done = ours.ask("step", tasks=tasks, steps=STEPS, seed=index)
            ends[index] = done["ends"]
            return done["seconds"] / (STEPS * len(tasks))

        def peers_turn(index: int) -> float:
            done = peer.ask("step", tasks=tasks, steps=STEPS, seed=index)
            worst.append(require_equal(ends[index], done["ends"]))
            return done["seconds"] / (STEPS * len(tasks))

        along = require_small(ours.ask("equality", tasks=tasks))
        rounds = interleave(our_turn, peers_turn, settings.rounds)
        versions = {"ours": ours.ask("versions"), "peer": peer.ask("versions")}
    return [
        Finding(
            name="step",
            number=1,
            what="step without pictures",
            peer=f"metaworld {versions['peer']['metaworld']}",
            bar=4.0,
            unit=f"step, mean of {len(tasks)} tasks",
            rounds=rounds,
            check={"largest difference along the way": along, "at the ends": max(worst)},
            versions=versions,
        )
    ]


def require_equal(ours: dict[str, list[float]], peers_: dict[str, list[float]]) -> float:
    """Compares where the same actions led: observation, summed reward and successes per task.

    Returns:
        The largest difference.

    Raises:
        Refusal: If it is more than 1e-9; the message names the task.
    """
    worst = 0.0
    for task, end in ours.items():
        difference = float(np.abs(np.array(end) - np.array(peers_[task])).max())
        if not difference <= MAX_DIFFERENCE:  # also if it is not a number
            raise Refusal(
                f"{task}: after the same actions ours and metaworld are {difference:.2g} apart, "
                f"more than {MAX_DIFFERENCE:g}.\nA ratio between unequal things means nothing."
            )
        worst = max(worst, difference)
    return worst


def require_small(difference: float) -> float:
    """Passes on the largest difference along 500 random and 500 expert steps of 3 seeds.

    Raises:
        Refusal: If it is more than 1e-9.
    """
    if not difference <= MAX_DIFFERENCE:
        raise Refusal(
            f"Step by step ours and metaworld are up to {difference:.2g} apart, more than "
            f"{MAX_DIFFERENCE:g}.\nA ratio between unequal things means nothing."
        )
    return difference


def against_envpool(settings: Settings) -> list[Finding]:
    """Compares with EnvPool; the hand must fly the same way, since objects lie elsewhere."""
    tasks = settings.chosen_tasks("all")
    with peers.ours() as ours, peers.envpool() as peer:
        apart_m = max(
            require_same_path(task, ours.ask("fly", task=task), peer.ask("fly", task=task))
            for task in tasks
        )

        def turn(side: Any, index: int) -> float:
            done = side.ask("step", tasks=tasks, steps=STEPS, seed=index)
            return done["seconds"] / (STEPS * len(tasks))

        rounds = interleave(lambda i: turn(ours, i), lambda i: turn(peer, i), settings.rounds)
        versions = {"ours": ours.ask("versions"), "peer": peer.ask("versions")}
    return [
        Finding(
            name="step-envpool",
            number=2,
            what="step without pictures",
            peer=f"EnvPool {versions['peer']['envpool']}, one thread",
            bar=1.0,
            unit=f"step, mean of {len(tasks)} tasks",
            rounds=rounds,
            check={"hands apart at most [mm]": 1e3 * apart_m},
            versions=versions,
        )
    ]


def require_same_path(task: str, ours: list[list[float]], peers_: list[list[float]]) -> float:
    """Compares how the hand flies, away from all objects.

    Returns:
        How far the two are apart at most [m].

    Raises:
        Refusal: If that is more than 2 mm.
    """
    apart_m = float(np.linalg.norm(np.array(ours) - np.array(peers_), axis=1).max())
    if not apart_m <= MAX_APART_M:
        raise Refusal(
            f"{task}: the same actions take the two hands {1e3 * apart_m:.1f} mm apart, more than "
            f"{1e3 * MAX_APART_M:g} mm."
        )
    return apart_m
