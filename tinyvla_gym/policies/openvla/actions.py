"""From OpenVLA's last 256 words to actions (arXiv 2406.09246, section 3). Needs numpy only.

Shapes: A action entries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError, UnknownNameError

BINS = 256
EDGES = np.linspace(-1, 1, BINS)
CENTRES = ((EDGES[:-1] + EDGES[1:]) / 2).astype(np.float32)
"""Middles of the 255 stretches between 256 edges, shape (255,)."""


def to_normal(ids: NDArray[np.int64], words: int) -> NDArray[np.float32]:
    """Reads word ids as numbers in (-1, 1), of the same shape; the last word is the lowest.

    Args:
        ids: What the model said. Words that stand for no number give the nearest.
        words: Ids from 0 up that the vocabulary has; padding of the table does not count.
    """
    return CENTRES[np.clip(words - ids - 1, 0, len(CENTRES) - 1)]


@dataclass(frozen=True, kw_only=True)
class ActionRange:
    """What -1 and 1 mean in a robot's data.

    Attributes:
        low: 1 % quantile of each action entry, shape (A,).
        high: 99 % quantile, shape (A,).
        scaled: False for entries that are numbers in [-1, 1] already, shape (A,).
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    scaled: NDArray[np.bool_]

    @classmethod
    def unit(cls, entries: int) -> "ActionRange":
        """A range that changes nothing."""
        ones = np.ones(entries, np.float32)
        return cls(low=-ones, high=ones, scaled=np.zeros(entries, bool))

    @classmethod
    def from_statistics(
        cls, statistics: Mapping[str, Any], dataset: str, names: Sequence[str]
    ) -> "ActionRange":
        """Reads ``norm_stats`` of OpenVLA's ``config.json``.

        Args:
            statistics: Dataset -> ``action`` -> ``q01``, ``q99`` and perhaps ``mask``.
            dataset: Whose robot is driven.
            names: The A action entries of the interface.

        Raises:
            UnknownNameError: If there is no such dataset.
            ConfigError: If its action has other entries than the interface's, or no quantiles.
        """
        if dataset not in statistics:
            raise UnknownNameError("dataset in the statistics", dataset, statistics)
        try:
            action = statistics[dataset]["action"]
            low, high = (np.array(action[key], np.float32) for key in ("q01", "q99"))
            scaled = np.array(action.get("mask", np.ones(len(low))), bool)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"The statistics of {dataset} have no quantiles: {error}") from error
        if not low.shape == high.shape == scaled.shape == (len(names),):
            raise ConfigError(
                f"The actions of {dataset} have {low.size} entries, the interface {len(names)}: "
                f"{', '.join(names)}."
            )
        return cls(low=low, high=high, scaled=scaled)

    def to_physical(self, normal: NDArray[np.float32]) -> NDArray[np.float32]:
        """Maps numbers in [-1, 1] to the data's own units, shape (..., A)."""
        stretched = (normal + 1) / 2 * (self.high - self.low) + self.low
        return np.where(self.scaled, stretched, normal).astype(np.float32)
