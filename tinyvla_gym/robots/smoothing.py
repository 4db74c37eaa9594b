"""Motion with bounded speed, acceleration and jerk, and a stop that is known before it is needed.

What is asked for (the input) moves at bounded speed, and is averaged twice over sliding windows:

    speed         |input speed|                       <= V    by the share of each step
    acceleration  change of input speed / window 1    <= A    by the share of each step
    jerk          change of acceleration / window 2   <= 2 A / window 2

Averages stay between what they average, so whatever convex region holds the inputs holds the
output. When the input stands still, the output comes to rest after both windows, on a path that
is already determined: ``Smoother.foresee`` computes it, and a step whose stop would leave the
limits is not taken. See Biagiotti and Melchiorri, "FIR filters for online trajectory planning
with time- and frequency-domain specifications", Control Engineering Practice 2012.
"""

from collections.abc import Sequence
from math import ceil, inf

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PAST = 3
"""Positions already commanded that ``foresee`` repeats, so that three differences exist."""


class Smoother:
    """Averages inputs of n channels over two windows, one input per tick."""

    def __init__(
        self, start: Array, *, period_s: float, speed_window_s: float, jerk_window_s: float
    ) -> None:
        """Starts at rest.

        Args:
            start: Where the motion begins, shape (n,).
            period_s: Time between two ticks [s].
            speed_window_s: Window 1, speed over acceleration [s].
            jerk_window_s: Window 2, twice the acceleration over jerk [s].
        """
        self.window = max(1, ceil(round(speed_window_s / period_s, 6)))
        second = max(1, ceil(round(jerk_window_s / period_s, 6)))
        kernel = np.convolve(np.ones(self.window) / self.window, np.ones(second) / second)
        self.settle_ticks = len(kernel)
        """Ticks from the last input to rest."""
        self._length = self.settle_ticks + PAST
        weights = _foreseeing_weights(kernel)
        self._of_past, self._of_next = weights[:, :-1].copy(), weights[:, -1:].copy()
        self._inputs = np.tile(np.asarray(start, np.float64), (2 * self._length, 1))
        self._newest = self._length - 1  # a second copy lies one length further on

    @property
    def input(self) -> Array:
        """The newest input, where the motion will come to rest, shape (n,)."""
        return self._inputs[self._newest]

    def leaving_step(self) -> Array:
        """The input step that leaves window 1 when the next one enters, shape (n,)."""
        leaving = self._newest + self._length + 1 - self.window
        return self._inputs[leaving] - self._inputs[leaving - 1]

    def push(self, value: Array) -> None:
        """Takes the next input, shape (n,)."""
        self._newest = (self._newest + 1) % self._length
        self._inputs[self._newest] = value
        self._inputs[self._newest + self._length] = value

    def foresee(self, value: Array | None = None) -> Array:
        """What will be commanded if a value is the next input, and the last.

        Args:
            value: The next input; None is the newest again.

        Returns:
            Shape (R, n): ``PAST`` positions already commanded, then the next command, then
            all that follow it until rest.
        """
        value = self.input if value is None else value
        first = self._newest + 2  # oldest still in the window, in the doubled buffer
        window = self._inputs[first : first + self._length - 1]
        return self._of_past @ window + self._of_next * value


def _foreseeing_weights(kernel: Array) -> Array:
    """Row m, column j: the weight of input j, oldest first, in the m-th foreseen command."""
    length = len(kernel) + PAST
    ticks = range(-PAST, len(kernel) + 2)
    weights = np.zeros((len(ticks), length))
    for row, tick in enumerate(ticks):
        for age, weight in enumerate(kernel):
            column = length - 1 + min(tick - age, 0)  # beyond the newest, the newest again
            weights[row, column] += weight
    return weights


def share_of_each(
    step: Sequence[float], leaving: Sequence[float], most: Sequence[float], change: float
) -> float:
    """Largest share of a step that keeps every channel within its own bounds.

    Args:
        step: Wanted input step, n entries.
        leaving: The step that leaves window 1, n entries.
        most: Largest step, n entries.
        change: Largest difference between entering and leaving step, at least ``most``.

    Returns:
        0 to 1. Zero always keeps the bounds: standing still is always allowed.
    """
    share = 1.0
    for wanted, leaves, largest in zip(step, leaving, most, strict=True):
        room = max(0.0, min(largest, change + (leaves if wanted > 0 else -leaves)))
        if abs(wanted) > room:
            share = min(share, room / abs(wanted))
    return share


def share_of_vector(step: Array, leaving: Array, most: float, change: float = inf) -> float:
    """The same for channels that are bounded together, by the length of their vector."""
    along = float(step @ step)
    if along < 1e-30:
        return 1.0
    share = min(1.0, most / along**0.5)
    if change < inf:
        across = float(step @ leaving)
        spare = max(0.0, change * change - float(leaving @ leaving))
        share = min(share, (across + (across * across + along * spare) ** 0.5) / along)
    return max(0.0, share)
