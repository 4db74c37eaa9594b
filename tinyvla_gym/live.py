"""Says how an episode goes, while it goes."""

import time
from collections.abc import Callable
from typing import Any

from tinyvla_gym.events import Outcome, Step
from tinyvla_gym.interface import Observation


class LiveListener:
    """A line every so often, and one at the end: ``rollout(..., listeners=[LiveListener(print)])``.

    It needs no pictures, so that ticks inside a chunk still skip them.
    """

    needs_images = False

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        every_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begins.

        Args:
            say: Takes a line without a line break.
            every_s: At least so long from one line to the next [s].
            clock: Returns the time [s].
        """
        self._say = say
        self._every_s = every_s
        self._clock = clock

    def on_reset(self, observation: Observation, info: dict[str, Any]) -> None:
        """Notes the sentence."""
        self._ticks = 0
        self._solved_at: int | None = None
        self._said_s = self._clock()
        self._title = f'seed {info["seed"]}, "{info["instruction"]}"'

    def on_step(self, step: Step) -> None:
        """Counts, and says so if the time has come."""
        self._ticks += 1
        if step.info["success"] and self._solved_at is None:
            self._solved_at = self._ticks
        if self._clock() - self._said_s >= self._every_s:
            self._said_s = self._clock()
            self._say(self._line(f"step {self._ticks}, reward {step.reward:.2f}"))

    def on_end(self, outcome: Outcome | None) -> None:
        """Says how it ended."""
        how = "broken off" if outcome is None else f"ended after {outcome.steps} steps"
        self._say(self._line(how))

    def _line(self, what: str) -> str:
        solved = "not solved" if self._solved_at is None else f"solved at step {self._solved_at}"
        return f"{self._title}: {what}, {solved}"
