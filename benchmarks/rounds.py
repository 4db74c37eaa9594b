"""Interleaved rounds, and the ratio that comes of them."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

FEWEST = 5


@dataclass(frozen=True, kw_only=True)
class Round:
    """One turn of each side: how long one unit of work took [s]."""

    ours_s: float
    peer_s: float

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.peer_s / self.ours_s


def interleave(
    ours: Callable[[int], float], peer: Callable[[int], float], rounds: int
) -> list[Round]:
    """Measures A/B/A/B, so that whatever slows the machine for a while slows both.

    Args:
        ours: Does our turn of round i and returns the seconds that one unit of work took.
        peer: The same of the peer.
        rounds: How many.
    """
    return [Round(ours_s=ours(index), peer_s=peer(index)) for index in range(rounds)]


def summary(rounds: list[Round]) -> dict[str, Any]:
    """The median ratio, its spread, and every round's seconds, for JSON."""
    ratios = [one.ratio for one in rounds]
    return {
        "ratio": median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "ours_s": [one.ours_s for one in rounds],
        "peer_s": [one.peer_s for one in rounds],
    }
