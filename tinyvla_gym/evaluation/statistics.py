"""How sure a success rate is, and how sure the difference of two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, comb, sqrt
from typing import Any

import numpy as np

from tinyvla_gym.errors import ConfigError

Interval = tuple[float, float]
"""Lower and upper bound of a 95 % interval."""

Z95 = 1.959963984540054
"""Two-sided 95 % point of the standard normal distribution."""

_Z80 = 0.8416212335729143  # one-sided 80 % point: the power that ``pairs_to_settle`` plans for
_DRAWS = 10_000
_BOOTSTRAP_SEED = 0x5EED


def wilson_interval(successes: int, episodes: int) -> Interval:
    """The Wilson 95 % score interval of a success rate (Wilson, JASA 22, 1927).

    Args:
        successes: Episodes that succeeded.
        episodes: Episodes played, at least 1.

    Returns:
        Lower and upper bound, between 0 and 1.

    Raises:
        ConfigError: If the counts are impossible.
    """
    if not 0 <= successes <= episodes or episodes < 1:
        raise ConfigError(f"{successes} successes of {episodes} episodes is no success rate.")
    return _wilson(successes / episodes, episodes)


def _wilson(rate: float, episodes: int) -> Interval:
    centre = rate + Z95**2 / (2 * episodes)
    spread = Z95 * sqrt(rate * (1 - rate) / episodes + Z95**2 / (4 * episodes**2))
    scale = 1 + Z95**2 / episodes
    low, high = (centre - spread) / scale, (centre + spread) / scale
    return (0.0 if rate == 0 else low), (1.0 if rate == 1 else high)


def average_interval(counts: Sequence[tuple[int, int]], weights: Sequence[float]) -> Interval:
    """A 95 % bootstrap interval of a weighted average of tasks' success rates.

    Episodes are drawn anew within each task, never across tasks, because the tasks of a suite
    are fixed and their seeds are not (percentile bootstrap; Efron & Tibshirani, 1993, ch. 13).
    The same counts always give the same interval. Where no task has both outcomes, drawing anew
    knows no spread, and the Wilson interval of the average over as many episodes takes its place.

    Args:
        counts: Successes and episodes of each task.
        weights: Of each task; they sum to 1.

    Returns:
        Lower and upper bound, between 0 and 1.

    Raises:
        ConfigError: If counts are impossible.
    """
    for successes, episodes in counts:
        wilson_interval(successes, episodes)  # checks
    successes, episodes = (np.array(column) for column in zip(*counts, strict=True))  # (tasks,)
    rates = successes / episodes
    if np.isin(rates, (0, 1)).all():
        return _wilson(round(float(rates @ np.array(weights)), 12), int(episodes.sum()))
    rng = np.random.default_rng(_BOOTSTRAP_SEED)
    # Drawing n of n yes-or-no outcomes anew and counting is one binomial draw.
    drawn = rng.binomial(episodes, rates, (_DRAWS, len(counts)))
    return _middle95(drawn / episodes @ np.array(weights))


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """One task played twice with equal seeds, by A and by B.

    Attributes:
        both: Episodes that both solved.
        only_a: Those that A alone solved.
        only_b: Those that B alone solved.
        neither: Those that neither solved.
    """

    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def episodes(self) -> int:
        """Pairs altogether."""
        return self.both + self.only_a + self.only_b + self.neither

    @classmethod
    def of(cls, a: Mapping[Any, bool], b: Mapping[Any, bool]) -> "Pairs":
        """Counts; ``a`` and ``b`` say for each seed whether it was solved. Others are left out."""
        seen = [(a[seed], b[seed]) for seed in a.keys() & b.keys()]
        return cls(
            both=seen.count((True, True)),
            only_a=seen.count((True, False)),
            only_b=seen.count((False, True)),
            neither=seen.count((False, False)),
        )


def mcnemar(only_a: int, only_b: int) -> float:
    """The exact two-sided McNemar test (McNemar, Psychometrika 12, 1947; exact: binomial).

    Args:
        only_a: Pairs that A alone solved.
        only_b: Pairs that B alone solved.

    Returns:
        How often a difference at least this large comes about between equals, 0 to 1.
    """
    discordant = only_a + only_b
    tail = sum(comb(discordant, count) for count in range(min(only_a, only_b) + 1))
    return min(1.0, 2 * tail / 2**discordant)


def difference_interval(tasks: Sequence[Pairs]) -> Interval:
    """A 95 % bootstrap interval of B's task average minus A's, on equal seeds.

    Pairs are drawn anew within each task; see ``average_interval``.

    Args:
        tasks: At least one, each with at least one pair.

    Returns:
        Lower and upper bound, between -1 and 1.
    """
    rng = np.random.default_rng(_BOOTSTRAP_SEED)
    differences = np.zeros(_DRAWS)
    for pairs in tasks:
        same = pairs.both + pairs.neither
        shares = np.array([pairs.only_a, pairs.only_b, same]) / pairs.episodes
        drawn = rng.multinomial(pairs.episodes, shares, _DRAWS)  # (draws, 3)
        differences += (drawn[:, 1] - drawn[:, 0]) / pairs.episodes / len(tasks)
    return _middle95(differences)


def pairs_to_settle(only_a: int, only_b: int, pairs: int) -> int | None:
    """How many pairs McNemar's test needs to see a difference as large as the one observed.

    At 5 % and with a power of 80 % (Connor, Biometrics 43, 1987).

    Args:
        only_a: Pairs that A alone solved.
        only_b: Pairs that B alone solved.
        pairs: Pairs altogether.

    Returns:
        Pairs altogether, those already played included; None if no difference was observed.
    """
    if only_a == only_b:
        return None
    apart, gap = (only_a + only_b) / pairs, abs(only_a - only_b) / pairs
    return ceil(((Z95 * sqrt(apart) + _Z80 * sqrt(apart - gap**2)) / gap) ** 2)


def _middle95(drawn: np.ndarray) -> Interval:
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)
