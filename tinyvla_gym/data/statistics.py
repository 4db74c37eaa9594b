"""What numbers and pictures look like: range, mean, spread and quantiles per entry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyvla_gym.errors import ConfigError

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}

_FRAMES_MIN, _FRAMES_MAX, _FRAMES_POWER = 100, 10_000, 0.75  # LeRobot's subsample of pictures
_SHRINK_ABOVE_PX, _SHRINK_TO_PX = 300, 150


@dataclass(frozen=True, kw_only=True, eq=False)
class Statistics:
    """Statistics of one feature, one number per entry.

    Vectors have arrays of shape (D,); pictures are scaled to [0, 1] and have one number per
    colour, shape (3, 1, 1).

    Attributes:
        min: Smallest value.
        max: Largest value.
        mean: Mean.
        std: Standard deviation of the population.
        count: Frames counted.
        q01: The value below which 1 % lie.
        q10: The value below which 10 % lie.
        q50: The median.
        q90: The value below which 90 % lie.
        q99: The value below which 99 % lie.
    """

    min: NDArray[np.float64]
    max: NDArray[np.float64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    count: int
    q01: NDArray[np.float64]
    q10: NDArray[np.float64]
    q50: NDArray[np.float64]
    q90: NDArray[np.float64]
    q99: NDArray[np.float64]

    def to_dict(self) -> dict[str, list]:
        """Returns nested lists, for JSON; ``count`` has length 1, as LeRobot wants it."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**{key: np.asarray(a).tolist() for key, a in arrays.items()}, "count": [self.count]}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Statistics":
        """Reads what ``to_dict`` wrote.

        Raises:
            ConfigError: If a key is missing or unknown.
        """
        wanted = {field.name for field in fields(cls)}
        if set(facts) != wanted:
            raise ConfigError(
                f"Statistics have the keys {', '.join(sorted(wanted))}; "
                f"missing: {', '.join(sorted(wanted - set(facts))) or 'none'}; "
                f"unknown: {', '.join(sorted(set(facts) - wanted)) or 'none'}."
            )
        arrays = {key: np.asarray(value, np.float64) for key, value in facts.items()}
        return cls(**{**arrays, "count": int(facts["count"][0])})


def describe(values: ArrayLike) -> Statistics:
    """Describes every entry of a vector over all frames, exactly.

    Args:
        values: Shape (T, D), or (T,) for a single entry; at least one frame.
    """
    columns = np.asarray(values, np.float64)
    columns = columns.reshape(len(columns), -1)
    quantiles = np.quantile(columns, list(QUANTILES.values()), axis=0)
    return Statistics(
        min=columns.min(axis=0),
        max=columns.max(axis=0),
        mean=columns.mean(axis=0),
        std=columns.std(axis=0),
        count=len(columns),
        **dict(zip(QUANTILES, quantiles, strict=True)),
    )


def combine(parts: Sequence[Statistics]) -> Statistics:
    """Adds up the statistics of disjoint frames, as LeRobot does.

    Range, mean and spread are those of all frames; quantiles are averaged, weighted by the
    frames of each part, and so are estimates.

    Args:
        parts: At least one; all of the same shape.
    """
    counts = np.array([part.count for part in parts], np.float64)
    weights = counts / counts.sum()

    def stacked(name: str) -> NDArray[np.float64]:
        return np.stack([getattr(part, name) for part in parts], axis=-1)  # (..., parts)

    means = stacked("mean")
    mean = means @ weights
    variance = (stacked("std") ** 2 + (means - mean[..., None]) ** 2) @ weights
    return Statistics(
        min=stacked("min").min(axis=-1),
        max=stacked("max").max(axis=-1),
        mean=mean,
        std=np.sqrt(variance),
        count=int(counts.sum()),
        **{name: stacked(name) @ weights for name in QUANTILES},
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class PixelCounts:
    """How often each brightness occurs; counts of several episodes add up.

    Attributes:
        counts: Pixels per colour and brightness, int64, shape (3, 256).
        frames: Pictures counted.
    """

    counts: NDArray[np.int64]
    frames: int

    def __add__(self, other: "PixelCounts") -> "PixelCounts":
        return PixelCounts(counts=self.counts + other.counts, frames=self.frames + other.frames)


def count_pixels(images: NDArray[np.uint8]) -> PixelCounts:
    """Counts the brightness of a subsample of pictures, shape (T, H, W, 3)."""
    frames = len(images)
    sample = min(frames, max(_FRAMES_MIN, min(int(frames**_FRAMES_POWER), _FRAMES_MAX)))
    largest_px = max(images.shape[1:3])
    stride = largest_px // _SHRINK_TO_PX if largest_px >= _SHRINK_ABOVE_PX else 1
    chosen = np.linspace(0, frames - 1, sample).round().astype(int)
    pixels = images[chosen, ::stride, ::stride]
    counts = [np.bincount(pixels[..., colour].ravel(), minlength=256) for colour in range(3)]
    return PixelCounts(counts=np.stack(counts).astype(np.int64), frames=sample)


def describe_pixels(pixels: PixelCounts) -> Statistics:
    """Describes pictures per colour; exact for the pictures that were counted."""
    levels = np.arange(256) / 255.0
    total = pixels.counts.sum(axis=1)
    mean = pixels.counts @ levels / total
    variance = (pixels.counts * (levels - mean[:, None]) ** 2).sum(axis=1) / total
    ranks = np.cumsum(pixels.counts, axis=1)  # (3, 256), pixels up to this brightness
    extremes = {"min": _quantile(ranks, 0.0), "max": _quantile(ranks, 1.0)}
    quantiles = {name: _quantile(ranks, frac) for name, frac in QUANTILES.items()}
    numbers = {**extremes, "mean": mean, "std": np.sqrt(variance), **quantiles}
    shaped = {name: number.reshape(3, 1, 1) for name, number in numbers.items()}
    return Statistics(**shaped, count=pixels.frames)


def _quantile(ranks: NDArray[np.int64], frac: float) -> NDArray[np.float64]:
    """Interpolates linearly between neighbours in the sorted pixels, as ``np.quantile`` does."""
    answers = []
    for rank in ranks:
        place = frac * (rank[-1] - 1)
        below, above = np.searchsorted(rank, [np.floor(place), np.ceil(place)], side="right")
        answers.append((below + (above - below) * (place % 1)) / 255.0)
    return np.array(answers)
