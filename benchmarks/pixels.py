"""Steps with a picture each: against metaworld with Gymnasium's renderer, and against EnvPool."""

from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from benchmarks import peers
from benchmarks.findings import Finding
from benchmarks.lines import Subject
from benchmarks.refusal import Refusal
from benchmarks.rounds import Round, interleave
from benchmarks.settings import Settings
from benchmarks.subjects.inputs import unpacked

CAMERA = "corner4"
PROFILE = "fast-2"
BARS = {84: 40.0, 128: 30.0}  # picture size [px]: ratio
STEPS = 60  # ours draws so many pictures per task and round,
PEER_STEPS = 6  # and the peer, whose pictures take far longer, so many
LOOK_AFTER = 20
MAX_DIFFERENCE = 12.0  # grey levels of 255
MIN_IOU = 0.9
ENVPOOLS_CAMERA = "corner2"  # the same in EnvPool's scenes, which have no corner4
MAX_DIFFERENCE_ENVPOOL = 40.0  # brighter light, objects elsewhere; another view gives over 50


def against_metaworld(settings: Settings) -> list[Finding]:
    """Compares at 84 and at 128 px."""
    tasks = settings.chosen_tasks("5")
    with peers.ours() as ours, peers.reference() as peer:
        versions = {"ours": ours.ask("versions"), "peer": peer.ask("versions")}
        return [
            Finding(
                name=f"pixels-{size}",
                number=3,
                what=f"step with a picture of {size} px",
                peer=f"metaworld {versions['peer']['metaworld']} + Gymnasium's renderer",
                bar=bar,
                unit=f"step, mean of {len(tasks)} tasks",
                check=check_pictures(ours, peer, tasks, size),
                rounds=race(ours, peer, tasks, CAMERA, size, settings.rounds),
                versions=versions,
            )
            for size, bar in BARS.items()
        ]


def against_envpool(settings: Settings) -> list[Finding]:
    """Compares with EnvPool's own pictures at 84 px."""
    tasks, size = settings.chosen_tasks("5"), 84
    with peers.ours() as ours, peers.envpool() as peer:
        versions = {"ours": ours.ask("versions"), "peer": peer.ask("versions")}
        where = {"steps": LOOK_AFTER, "seed": 0, "camera": ENVPOOLS_CAMERA, "size": size}
        differences = [
            difference(
                unpacked(ours.ask("look", task=task, profile=PROFILE, **where)),
                unpacked(peer.ask("look", task=task, **where)),
            )
            for task in tasks
        ]
        require_close(max(differences), MAX_DIFFERENCE_ENVPOOL, "EnvPool's")
        return [
            Finding(
                name="pixels-envpool",
                number=4,
                what=f"step with a picture of {size} px",
                peer=f"EnvPool {versions['peer']['envpool']}, one thread",
                bar=40.0,
                unit=f"step, mean of {len(tasks)} tasks",
                check={"mean difference of pictures at most [of 255]": max(differences)},
                rounds=race(ours, peer, tasks, ENVPOOLS_CAMERA, size, settings.rounds),
                versions=versions,
            )
        ]


def race(
    ours: Subject, peer: Subject, tasks: tuple[str, ...], camera: str, size: int, rounds: int
) -> list[Round]:
    """Interleaved rounds of steps with pictures."""

    def turn(side: Subject, steps: int, index: int) -> float:
        done = side.ask("pixels", tasks=tasks, steps=steps, seed=index, camera=camera, size=size)
        return done["seconds"] / (steps * len(tasks))

    return interleave(lambda i: turn(ours, STEPS, i), lambda i: turn(peer, PEER_STEPS, i), rounds)


def check_pictures(
    ours: Subject, peer: Subject, tasks: tuple[str, ...], size: int
) -> dict[str, float]:
    """Compares pictures of the same states.

    Returns:
        The largest difference of ``parity-1``, which must be 0; the mean difference of the fast
        profile, in grey levels; and the mean IoU of the objects' masks.

    Raises:
        Refusal: If they are too far apart.
    """
    exact, fast = [], []
    where = {"steps": LOOK_AFTER, "seed": 0, "camera": CAMERA, "size": size}
    for task in tasks:
        wanted = unpacked(peer.ask("look", task=task, **where))
        parity, drawn = (
            unpacked(ours.ask("look", task=task, profile=profile, **where))
            for profile in ("parity-1", PROFILE)
        )
        exact.append(int(np.abs(parity.astype(int) - wanted).max()))
        fast.append(difference(drawn, wanted))
    require_close(max(exact), 0, "the reference's, drawn with parity-1")
    require_close(float(np.mean(fast)), MAX_DIFFERENCE, "the reference's")
    found = {"parity-1 differs by": max(exact), f"{PROFILE} by [of 255]": float(np.mean(fast))}
    iou = object_iou(tasks, size)
    if not iou >= MIN_IOU:
        raise Refusal(f"The objects' masks overlap by {iou:.3f} only, less than {MIN_IOU}.")
    return {**found, "IoU of objects": iou}


def object_iou(tasks: tuple[str, ...], size: int) -> float:
    """Mean IoU of the objects' masks in the fast profile and in the reference."""
    closeness = import_module("benchmarks.pictures").closeness  # it loads the simulator
    found = closeness(PROFILE, tasks=tasks, cameras=(CAMERA,), size_px=size)
    return float(np.mean([one.object_iou for one in found if one.object_iou is not None]))


def difference(picture: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Mean absolute difference in grey levels of 255; infinite for different shapes."""
    if picture.shape != other.shape:
        return float("inf")
    return float(np.abs(picture.astype(np.int16) - other).mean())


def require_close(found: float, limit: float, whose: str) -> None:
    """Refuses to compare the time of pictures that differ.

    Raises:
        Refusal: If ``found`` is above ``limit``, both in grey levels of 255.
    """
    if not found <= limit:
        raise Refusal(
            f"Our pictures differ by {found:.3g} grey levels from {whose}, more than {limit:g}.\n"
            "A ratio between unequal things means nothing."
        )
