"""Where a tool may be: a box in the arm's base frame, minus what is too near or too far."""

from dataclasses import dataclass
from functools import cached_property
from math import inf, isnan

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError

_ROUNDS = 50  # of alternating projection; a few are enough unless box and ring barely touch


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Tool positions that are allowed, in the arm's base frame.

    Attributes:
        low_m: Lower corner of a box (x, y, z) [m].
        high_m: Upper corner of the box [m].
        radius_low_m: Least distance from the base's vertical axis [m]; arms crush near it.
        radius_high_m: Largest distance from that axis [m]; arms become singular beyond it.
    """

    low_m: tuple[float, ...]
    high_m: tuple[float, ...]
    radius_low_m: float = 0.0
    radius_high_m: float = inf

    def __post_init__(self) -> None:
        sizes = len(self.low_m) == len(self.high_m) == 3
        numbers = (*self.low_m, *self.high_m, self.radius_low_m, self.radius_high_m)
        ordered = all(low < high for low, high in zip(self.low_m, self.high_m, strict=False))
        radii = 0 <= self.radius_low_m < self.radius_high_m
        if not (sizes and ordered and radii) or any(isnan(number) for number in numbers):
            raise ConfigError(
                "A workspace needs a lower and an upper corner (x, y, z) and 0 <= radius_low_m < "
                f"radius_high_m, got {self.low_m}, {self.high_m}, {self.radius_low_m}, "
                f"{self.radius_high_m}."
            )
        middle = self.nearest((np.array(self.low_m) + np.array(self.high_m)) / 2)
        if not self.contains(middle[None], tolerance_m=1e-6)[0]:
            raise ConfigError(f"Box and radii of the workspace {self} have nothing in common.")

    def nearest(self, position_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """The allowed position nearest to one, by projecting on box and ring in turns.

        Args:
            position_m: A tool position, shape (3,).
        """
        inside = np.clip(position_m, self.low_m, self.high_m)
        for _ in range(_ROUNDS):
            radius = float(np.hypot(inside[0], inside[1]))
            wanted = min(max(radius, self.radius_low_m), self.radius_high_m)
            if wanted == radius:
                break
            direction = inside[:2] / radius if radius > 1e-9 else np.array([1.0, 0.0])
            inside = np.append(direction * wanted, inside[2])
            inside = np.clip(inside, self.low_m, self.high_m)
        return inside

    def contains(
        self, positions_m: NDArray[np.float64], *, tolerance_m: float = 1e-9
    ) -> NDArray[np.bool_]:
        """Says of each position, shape (B, 3), whether it is allowed, shape (B,)."""
        low_m, high_m = self._corners_m
        boxed = (positions_m >= low_m - tolerance_m) & (positions_m <= high_m + tolerance_m)
        radius = np.hypot(positions_m[:, 0], positions_m[:, 1])
        ringed = (radius >= self.radius_low_m - tolerance_m) & (
            radius <= self.radius_high_m + tolerance_m
        )
        return boxed.all(axis=1) & ringed

    @cached_property
    def _corners_m(self) -> NDArray[np.float64]:
        """Both corners, shape (2, 3): a tick looks several times, and never changes them."""
        return np.array([self.low_m, self.high_m], np.float64)

    def shrunk(self, margin_m: float) -> "Workspace":
        """The same with all surfaces moved inwards, for targets between which paths bend."""
        return Workspace(
            low_m=tuple(low + margin_m for low in self.low_m),
            high_m=tuple(high - margin_m for high in self.high_m),
            radius_low_m=self.radius_low_m + margin_m if self.radius_low_m else 0.0,
            radius_high_m=self.radius_high_m - margin_m,
        )
