"""When the actions of a chunk are due, given that looking, thinking and moving take time."""

from dataclasses import dataclass

_SOONEST_S = 0.01  # what is due earlier than this cannot be reached in time


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Control ticks at fixed times: number n is at ``start_s + n * period_s``, for ever.

    Attributes:
        start_s: Time of number 0 [s].
        period_s: Time between two [s].
    """

    start_s: float
    period_s: float

    def time_s(self, number: int) -> float:
        """When a control tick is [s]."""
        return self.start_s + number * self.period_s

    def next(self, number: int, now_s: float) -> int:
        """The tick at which the step after ``number`` ends; late callers skip, none hurries.

        At least half a period is left, so that an arm never has to catch up.
        """
        number += 1
        missing_s = now_s + 0.5 * self.period_s - self.time_s(number)
        if missing_s > 1e-9:
            number += int(-(-missing_s // self.period_s))
        return number


def due_times(count: int, *, observed_s: float, now_s: float, grid: Grid, lag_s: float) -> dict:
    """When each action of a chunk is due, after Chi et al., arXiv 2402.10329, section on latency.

    Action i is meant for ``observed_s + (i + 1) * period_s``; an arm that follows its commands
    ``lag_s`` later is told so much earlier. What would be due already is left out; if that is
    everything, the last action is due at the next grid point.

    Args:
        count: How many actions the chunk has.
        observed_s: When the observation was made that the chunk was planned from [s].
        now_s: The time now [s].
        grid: The control ticks.
        lag_s: Time by which the arm's motion follows its commands [s].

    Returns:
        Place in the chunk to due time [s], in order.
    """
    wanted = {i: observed_s + (i + 1) * grid.period_s - lag_s for i in range(count)}
    ahead = {i: due_s for i, due_s in wanted.items() if due_s > now_s + _SOONEST_S}
    return ahead or {count - 1: now_s + grid.period_s}
