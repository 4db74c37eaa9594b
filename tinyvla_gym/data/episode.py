"""One recorded episode: arrays with one time axis, and where they came from."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.interface import check_instruction


@dataclass(frozen=True, kw_only=True, eq=False)
class Episode:
    """What was seen and done in T control ticks; row t was seen before tick t was played.

    Attributes:
        images: Camera name to pictures, uint8 RGB, shape (T, H, W, 3).
        state: Float32, shape (T, S).
        action: What training should imitate, float32, shape (T, A).
        sent_action: What reached the robot after noise and limits, float32, shape (T, A).
        reward: Reward of each tick, float32, shape (T,).
        success: Whether the task was solved in that tick, bool, shape (T,).
        instruction: The sentence given to the policy.
        seed: The integer from which the whole episode follows.
        task: The env's name of the task; empty if it has none.
        source: Who chose the actions: ``expert``, ``human``, ``policy``, or, where several did,
            for how many ticks each in turn: ``policy 12, human 30, policy 8``.
    """

    images: Mapping[str, NDArray[np.uint8]]
    state: NDArray[np.float32]
    action: NDArray[np.float32]
    sent_action: NDArray[np.float32]
    reward: NDArray[np.float32]
    success: NDArray[np.bool_]
    instruction: str
    seed: int
    task: str = ""
    source: str = "expert"

    def __post_init__(self) -> None:
        check_instruction(self.instruction)
        if len(self.action) == 0:
            raise ConfigError(f"The episode of seed {self.seed} has no ticks.")
        for camera, pictures in self.images.items():
            self._check(f"images[{camera!r}]", pictures, np.uint8, dimensions=4)
            if pictures.shape[-1] != 3:
                raise ConfigError(f"images[{camera!r}] must be RGB, got shape {pictures.shape}.")
        for name in ("state", "action", "sent_action"):
            self._check(name, getattr(self, name), np.float32, dimensions=2)
        self._check("reward", self.reward, np.float32, dimensions=1)
        self._check("success", self.success, np.bool_, dimensions=1)
        if len(self.sources) != len(self):
            raise ConfigError(f"source {self.source!r} does not add up to {len(self)} ticks.")
        if self.sent_action.shape != self.action.shape:
            raise ConfigError(
                f"sent_action has shape {self.sent_action.shape}, action {self.action.shape}."
            )

    def __len__(self) -> int:
        """Control ticks, T."""
        return len(self.action)

    @property
    def sources(self) -> tuple[str, ...]:
        """Who chose each tick's action, T names, read from ``source``."""
        turns = [turn.split() for turn in self.source.split(", ")]
        if any(len(turn) != 2 for turn in turns):
            return (self.source,) * len(self)
        return tuple(name for name, ticks in turns for _ in range(int(ticks)))

    @property
    def succeeded(self) -> bool:
        """The task was solved in some tick."""
        return bool(self.success.any())

    def _check(self, name: str, values: NDArray, dtype: type, *, dimensions: int) -> None:
        if values.dtype != dtype or values.ndim != dimensions or len(values) != len(self):
            raise ConfigError(
                f"{name} must be {np.dtype(dtype)} with {dimensions} dimensions and "
                f"{len(self)} ticks, got {values.dtype} of shape {values.shape}."
            )
        if not np.isfinite(values).all():
            tick = int(np.argwhere(~np.isfinite(values))[0][0])
            raise ConfigError(f"{name} is not finite at tick {tick} of seed {self.seed}.")
