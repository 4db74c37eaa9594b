"""What to collect per task, and how noisily."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from tinyvla_gym.errors import ConfigError

DEMONSTRATION_SEEDS = range(100_000)
"""Demonstrations take their seeds from here; selection and evaluation from elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to collect per task.

    Attributes:
        episodes: Successful demonstrations to keep.
        seed: The first episode's; the others follow, and failures are skipped.
        horizon: Control ticks after which an attempt has failed.
        linger: Control ticks to go on recording after the first success.
        noise_std: Spread of the noise on motions, in the action's units; the action that is
            kept as the label is clean. The gripper is spared.
        noise_hold: Control ticks that one gust of noise lasts, on average.
        noise_calm_frac: Share of the gusts that are zero.
        noisy_frac: Share of the episodes with noise.
        progress_frac: Of tasks that can start midway (drawers, windows), the share of episodes
            that do, with the goal's marker hidden so that only the sentence says where to.
        instructions: Which sentences: default, train or heldout.
    """

    episodes: int = 50
    seed: int = 0
    horizon: int = 400
    linger: int = 10
    noise_std: float = 0.8
    noise_hold: float = 12.0
    noise_calm_frac: float = 0.6
    noisy_frac: float = 0.8
    progress_frac: float = 0.5
    instructions: str = "train"

    def check(self) -> None:
        """Makes sure that it can be carried out; ``collect`` does so first.

        Raises:
            ConfigError: If a number is out of its range, or a seed is not for demonstrations.
        """
        # Not at construction: the command line's parser would wrap the message.
        limits = {
            **dict.fromkeys(("episodes", "horizon", "noise_hold"), (1, math.inf)),
            **dict.fromkeys(("linger", "noise_std"), (0, math.inf)),
            **dict.fromkeys(("noise_calm_frac", "noisy_frac", "progress_frac"), (0, 1)),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                wanted = f"at least {low}" if high == math.inf else f"from {low} to {high}"
                raise ConfigError(f"{name} must be {wanted}, got {value}.")
        first, last = self.seed, self.seed + self.episodes - 1
        if first not in DEMONSTRATION_SEEDS or last not in DEMONSTRATION_SEEDS:
            raise ConfigError(
                f"Demonstrations take seeds from 0 to {DEMONSTRATION_SEEDS[-1]}, "
                f"not {first} to {last}."
            )

    @property
    def env_options(self) -> dict[str, Any]:
        """What the plan asks of an env, as keyword arguments for ``gym.make``."""
        return {
            "horizon": self.horizon,
            "linger": self.linger,
            "instructions": self.instructions,
        }

    def to_dict(self) -> dict[str, Any]:
        """Returns plain numbers and strings, for JSON."""
        return asdict(self)
