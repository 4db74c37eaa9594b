"""Random windows for training: out of our cache, and as LeRobot and TinyVLA's code read them."""

from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.findings import Finding
from benchmarks.refusal import Refusal
from benchmarks.rounds import interleave
from benchmarks.settings import Settings
from benchmarks.subjects.inputs import unpacked

SIZE, HORIZON = 128, 16
OUR_WINDOWS, PEERS_WINDOWS = 64, 16
FILM_MEAN_ERROR = 8.0
"""Grey levels; what film coded as LeRobot codes it may lose on average."""

Read = Callable[[list[int]], dict[str, Any]]


def measure(settings: Settings) -> list[Finding]:
    """Everybody reads windows of the same episodes, in random order; nothing is augmented."""
    tasks = list(settings.chosen_tasks("drawer-open,push"))
    with TemporaryDirectory() as place, peers.reader() as ours, peers.lerobot_reader() as lerobot:
        frames = ours.ask("prepare", place=place, tasks=tasks, size=SIZE)["frames"]

        def read(side: Any, how: str) -> Read:
            return lambda indices: side.ask(how, place=place, indices=indices, horizon=HORIZON)

        cached = read(ours, "cached")
        known = {"ours": ours.ask("versions"), "peer": lerobot.ask("versions")}
        return [
            _finding(
                f"LeRobot {known['peer']['lerobot']}, which decodes film",
                *(cached, read(lerobot, "decoded"), frames, settings.rounds),
                name="batches-lerobot",
                bar=100.0,
                most=FILM_MEAN_ERROR,
                versions=known,
            ),
            _finding(
                "an HDF5 file opened for each window",
                *(cached, read(ours, "hdf5"), frames, settings.rounds),
                name="batches-hdf5",
                bar=50.0,
                most=0.0,
                versions={"ours": known["ours"], "peer": known["ours"]},
            ),
        ]


def _finding(
    peer: str, ours: Read, theirs: Read, frames: int, rounds: int, *, most: float, **facts: Any
) -> Finding:
    rng = np.random.default_rng(0)
    first = rng.integers(frames, size=4).tolist()
    error = picture_error(ours(first), theirs(first), most)  # and both are warm

    def turn(read: Read, windows: int) -> Callable[[int], float]:
        return lambda _: read(rng.integers(frames, size=windows).tolist())["seconds"] / windows

    return Finding(
        number=10,
        what=f"random windows, a picture of {SIZE} px and {HORIZON} actions",
        peer=peer,
        unit="window",
        rounds=interleave(turn(ours, OUR_WINDOWS), turn(theirs, PEERS_WINDOWS), rounds),
        check={"equal states and actions": len(first), "pictures differ by [of 255]": error},
        **facts,
    )


def picture_error(ours: dict[str, Any], theirs: dict[str, Any], most: float) -> float:
    """Mean difference of the pictures; numbers must be equal.

    Raises:
        Refusal: If numbers differ, or pictures by more than ``most``.
    """
    for name in ("states", "chunks"):
        apart = np.abs(np.array(ours[name]) - np.array(theirs[name])).max()
        if apart > 0:
            raise Refusal(f"The {name} that the two read differ by {apart:.3g}.")
    pictures = [unpacked(one["pictures"]).astype(int) for one in (ours, theirs)]
    error = float(np.abs(pictures[0] - pictures[1]).mean())
    if error > most:
        raise Refusal(f"The pictures that the two read differ by {error:.1f} of 255 on average.")
    return error
