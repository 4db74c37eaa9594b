"""Do envs that share a process draw what each would draw alone, in whatever order?"""

from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.findings import Finding
from benchmarks.lines import Subject
from benchmarks.settings import Settings
from benchmarks.subjects.inputs import unpacked

ENVS = 8
WHERE: dict[str, Any] = {"steps": 20, "seed": 0, "camera": "corner4", "size": 84}


def measure(settings: Settings) -> list[Finding]:
    """Draws 8 envs in several orders, and each once more in a process of its own."""
    few = settings.chosen_tasks(str(ENVS))
    tasks = [few[index % len(few)] for index in range(ENVS)]
    rng = np.random.default_rng(0)
    turns = [rng.permutation(ENVS).tolist() for _ in range(settings.rounds)]
    with peers.ours() as ours, peers.reference() as peer:
        versions = {"ours": ours.ask("versions"), "peer": peer.ask("versions")}
        error = largest_error(turns, look(ours, tasks, turns), pictures_alone(peers.ours, tasks))
        alone = pictures_alone(peers.reference, tasks)
        theirs = mean_error(turns, look(peer, tasks, turns), alone)
    return [
        Finding(
            name="order",
            number=5,
            what=f"picture error of {ENVS} envs in one process, any order",
            peer=f"metaworld {versions['peer']['metaworld']} + Gymnasium's renderer",
            bar=0.0,
            unit="grey levels at most, against each env alone",
            value=error,
            check={"pictures compared": ENVS * len(turns)},
            more={"mean_error_of_the_peer_[of_255]": theirs},
            versions=versions,
        )
    ]


def look(side: Subject, tasks: list[str], turns: list[list[int]]) -> Any:
    """Pictures of envs that live together: for each turn one per env, in the turn's order."""
    return side.ask("look_in_turns", tasks=tasks, turns=turns, **WHERE)


def pictures_alone(start: Any, tasks: list[str]) -> dict[str, Any]:
    """Each task's picture from a process that knows nothing else."""
    found = {}
    for task in dict.fromkeys(tasks):
        with start() as side:
            found[task] = look(side, [task], [[0]])[0][0]
    return {str(index): found[task] for index, task in enumerate(tasks)}


def errors(turns: list[list[int]], together: Any, alone: dict[str, Any]) -> list[Any]:
    """Absolute differences between each picture and that of its env alone."""
    return [
        np.abs(unpacked(picture).astype(int) - unpacked(alone[str(index)]))
        for turn, pictures in zip(turns, together, strict=True)
        for index, picture in zip(turn, pictures, strict=True)
    ]


def largest_error(turns: list[list[int]], together: Any, alone: dict[str, Any]) -> float:
    """The largest difference of any pixel."""
    return float(max(error.max() for error in errors(turns, together, alone)))


def mean_error(turns: list[list[int]], together: Any, alone: dict[str, Any]) -> float:
    """The mean difference over all pixels."""
    return float(np.mean([error.mean() for error in errors(turns, together, alone)]))
