"""What all subjects are given alike: actions, seeds, and pictures on their way through a line."""

import base64
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLIGHT_TICKS = 20


def random_actions(count: int, seed: int) -> NDArray[np.float32]:
    """Uniform actions, shape (count, 4)."""
    return np.random.default_rng(seed).uniform(-1, 1, (count, 4)).astype(np.float32)


def flight_actions() -> NDArray[np.float32]:
    """Up and to the side with an open gripper, where nothing is touched, shape (20, 4)."""
    return np.tile(np.array([0.3, -0.5, 1.0, -1.0], np.float32), (FLIGHT_TICKS, 1))


def world_seed(seed: int) -> int:
    """What an env of ours seeds MetaWorld's own generator with in an episode of this seed."""
    world, _ = np.random.SeedSequence(seed).spawn(2)
    return int(world.generate_state(1)[0])


def packed(picture: NDArray[np.uint8]) -> dict[str, Any]:
    """A picture as plain facts."""
    return {"shape": picture.shape, "bytes": base64.b64encode(picture.tobytes()).decode()}


def unpacked(facts: dict[str, Any]) -> NDArray[np.uint8]:
    """The picture again."""
    return np.frombuffer(base64.b64decode(facts["bytes"]), np.uint8).reshape(facts["shape"])


def versions(*packages: str) -> dict[str, str]:
    """The versions of those packages that are installed here."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


CHUNK, ACTIONS, STATES = 16, 10, 7
SENTENCE = "close the lid of the box"


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What a policy of the authors' Franka arm is given, drawn at random.

    Attributes:
        frames: Of two cameras, uint8, (2, 180, 320, 3).
        state: float32, (7,).
        noise: What the plan begins with, or is learnt with, float32, (1, 16, 10).
        chunk: What should have been done, in [-1, 1], float32, (1, 16, 10).
        level: The noise level that it is learnt at.
    """

    frames: NDArray[np.uint8]
    state: NDArray[np.float32]
    noise: NDArray[np.float32]
    chunk: NDArray[np.float32]
    level: int


def sight(seed: int) -> Sight:
    """Draws one; equal on both sides."""
    rng = np.random.default_rng(seed)
    return Sight(
        frames=rng.integers(0, 256, (2, 180, 320, 3)).astype(np.uint8),
        state=rng.standard_normal(STATES).astype(np.float32),
        noise=rng.standard_normal((1, CHUNK, ACTIONS)).astype(np.float32),
        chunk=rng.uniform(-1, 1, (1, CHUNK, ACTIONS)).astype(np.float32),
        level=int(rng.integers(100)),
    )
