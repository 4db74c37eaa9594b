"""From physical units to the model's and back; the statistics travel in the checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError

SMALLEST_STD = 1e-2
SMALLEST_RANGE = 1e-2


@dataclass(frozen=True, kw_only=True)
class Normalizer:
    """States to mean 0 and deviation 1, actions to [-1, 1] and back.

    Attributes:
        state_names: The S state entries that the statistics belong to.
        state_mean: Shape (S,).
        state_std: At least 0.01, shape (S,).
        action_names: The A action entries that the statistics belong to.
        action_low: What becomes -1, shape (A,).
        action_high: What becomes 1, shape (A,).
    """

    state_names: tuple[str, ...]
    state_mean: NDArray[np.float32]
    state_std: NDArray[np.float32]
    action_names: tuple[str, ...]
    action_low: NDArray[np.float32]
    action_high: NDArray[np.float32]

    def __post_init__(self) -> None:
        spread = np.concatenate([self.state_std, self.action_high - self.action_low])
        if not (np.isfinite(spread).all() and (spread > 0).all()):
            raise ConfigError(
                "The normaliser divides by each state's std and each action's high - low, "
                f"which must be above 0, got {self.to_dict()}."
            )

    @classmethod
    def from_data(
        cls,
        state_names: Sequence[str],
        state: NDArray[np.float32],
        action_names: Sequence[str],
        action: NDArray[np.float32],
    ) -> "Normalizer":
        """Measures the statistics.

        Args:
            state_names: Names of the state entries.
            state: Shape (T, S).
            action_names: Names of the action entries.
            action: Shape (T, A).
        """
        low, high = action.min(0).astype(np.float64), action.max(0).astype(np.float64)
        middle, half = (low + high) / 2, np.maximum((high - low) / 2, SMALLEST_RANGE / 2)
        return cls(
            state_names=tuple(state_names),
            state_mean=state.mean(0, dtype=np.float64).astype(np.float32),
            state_std=np.maximum(state.std(0, dtype=np.float64), SMALLEST_STD).astype(np.float32),
            action_names=tuple(action_names),
            action_low=(middle - half).astype(np.float32),
            action_high=(middle + half).astype(np.float32),
        )

    def state(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalises states, shape (..., S)."""
        return ((state - self.state_mean) / self.state_std).astype(np.float32)

    def action(self, action: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalises actions, shape (..., A), into [-1, 1] for those within the statistics."""
        scaled = 2 * (action - self.action_low) / (self.action_high - self.action_low) - 1
        return scaled.astype(np.float32)

    def to_physical(self, normal: NDArray[np.float32]) -> NDArray[np.float32]:
        """Undoes ``action``, shape (..., A)."""
        physical = (normal + 1) / 2 * (self.action_high - self.action_low) + self.action_low
        return physical.astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Returns ``{"state": {name: {mean, std}}, "action": {name: {low, high}}}``, for JSON."""
        return {
            "state": {
                name: {"mean": float(mean), "std": float(std)}
                for name, mean, std in zip(
                    self.state_names, self.state_mean, self.state_std, strict=True
                )
            },
            "action": {
                name: {"low": float(low), "high": float(high)}
                for name, low, high in zip(
                    self.action_names, self.action_low, self.action_high, strict=True
                )
            },
        }

    @classmethod
    def from_dict(
        cls, facts: Mapping[str, Any], *, state_names: Sequence[str], action_names: Sequence[str]
    ) -> "Normalizer":
        """Reads what ``to_dict`` wrote, for an interface's entries.

        Args:
            facts: What ``to_dict`` returned.
            state_names: The entries that the interface has.
            action_names: The entries that the interface has.

        Raises:
            ConfigError: If the statistics are for other entries; it names both sides. If a
                number is missing or cannot be divided by.
        """
        state, action = facts.get("state", {}), facts.get("action", {})
        for what, have, want in (("state", state, state_names), ("action", action, action_names)):
            if list(have) != list(want):
                raise ConfigError(
                    f"The normaliser has {what} statistics for {', '.join(have) or 'nothing'}, "
                    f"the interface has {', '.join(want)}. Use the statistics of the data that the "
                    "policy was trained on."
                )

        def column(table: Mapping[str, Any], key: str) -> NDArray[np.float32]:
            return np.array([row[key] for row in table.values()], np.float32)

        try:
            columns = {
                "state_mean": column(state, "mean"),
                "state_std": column(state, "std"),
                "action_low": column(action, "low"),
                "action_high": column(action, "high"),
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                "The normaliser wants mean and std per state, low and high per action, "
                f"got {dict(facts)}."
            ) from error
        return cls(state_names=tuple(state_names), action_names=tuple(action_names), **columns)
