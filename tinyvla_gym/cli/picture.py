"""What a camera sees, drawn with characters: enough to drive by, also over ssh."""

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.events import Outcome, Step
from tinyvla_gym.interface import Observation

_COLUMNS = 72
_EVERY_S = 0.1
_HOME, _CLEAR, _PLAIN = "\x1b[H", "\x1b[2J", "\x1b[0m"


class TerminalPicture:
    """Draws the newest picture of every camera side by side, ten times a second at most."""

    needs_images = True

    def __init__(
        self,
        caption: str,
        *,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepares.

        Args:
            caption: A line below the pictures.
            out: Where to draw; standard output when None.
            clock: Returns the time [s].
        """
        self._caption, self._clock = caption, clock
        self._out = sys.stdout if out is None else out
        self._drawn_s = -np.inf
        self._sentence = ""

    def on_reset(self, observation: Observation, info: dict[str, Any]) -> None:
        """Clears the terminal."""
        self._sentence = f"seed {info['seed']}: {info['instruction']}"
        self._out.write(_CLEAR)
        self._draw(observation)

    def on_step(self, step: Step) -> None:
        """Draws, if it is time."""
        if step.next_observation is not None and self._clock() - self._drawn_s >= _EVERY_S:
            self._draw(step.next_observation)

    def on_end(self, outcome: Outcome | None) -> None:
        """Says how it ended."""
        ended = "broken off" if outcome is None else "kept" if outcome.success else "discarded"
        self._out.write(f"{ended}\n")
        self._out.flush()

    def _draw(self, observation: Observation) -> None:
        self._drawn_s = self._clock()
        pictures = [value for key, value in observation.items() if key.startswith("image_")]
        if pictures:
            width = _COLUMNS // len(pictures)
            sized = [_sized(picture, width) for picture in pictures]
            rows = min(len(picture) for picture in sized) // 2 * 2
            self._out.write(_HOME + blocks(np.hstack([picture[:rows] for picture in sized])))
        self._out.write(f"{self._sentence}\n{self._caption}\n")
        self._out.flush()


def blocks(picture: NDArray[np.uint8]) -> str:
    """A picture as text, RGB, shape (even H, W, 3): two pixels in each character."""
    lines = []
    for upper, lower in zip(picture[::2].tolist(), picture[1::2].tolist(), strict=True):
        cells = [
            f"\x1b[38;2;{r};{g};{b};48;2;{x};{y};{z}m\u2580"
            for (r, g, b), (x, y, z) in zip(upper, lower, strict=True)
        ]
        lines.append("".join(cells) + _PLAIN)
    return "\n".join(lines) + "\n"


def _sized(picture: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """The picture at so many columns, by the nearest pixel."""
    height = max(2, round(picture.shape[0] * width / picture.shape[1]))
    rows = np.arange(height) * picture.shape[0] // height
    columns = np.arange(width) * picture.shape[1] // width
    return picture[rows][:, columns]
