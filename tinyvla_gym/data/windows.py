"""Windows onto episodes: the picture at t, and the K actions that follow it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyvla_gym.errors import ConfigError


def chunk_indices(
    t: ArrayLike, start: ArrayLike, end: ArrayLike, horizon: int, offset: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Says which frames' actions make up the chunk of each of B frames.

    Args:
        t: Frames to plan from, counted over the whole dataset, shape (B,).
        start: First frame of each one's episode, shape (B,).
        end: One past the last frame of each one's episode, shape (B,).
        horizon: Actions in a chunk, K.
        offset: The chunk's first row is the action at ``t + offset``.

    Returns:
        Frames, shape (B, K), and ``is_pad``, shape (B, K): before the start the first frame
        repeats, past the end the last one, and both are marked.
    """
    t, first = np.asarray(t, np.int64)[:, None], np.asarray(start, np.int64)[:, None]
    last = np.asarray(end, np.int64)[:, None] - 1
    wanted = t + offset + np.arange(horizon)  # (B, K)
    is_pad = (wanted < first) | (wanted > last)
    return np.clip(wanted, first, last), is_pad


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """What one training example, or a batch of B, is made of.

    Attributes:
        frame: The frame whose observation the policy sees, shape () or (B,).
        chunk: The actions to imitate, shape (K, A) or (B, K, A).
        is_pad: Rows of the chunk that lie outside the episode, shape (K,) or (B, K).
    """

    frame: NDArray[np.int64]
    chunk: NDArray[np.float32]
    is_pad: NDArray[np.bool_]


class Windows:
    """One window per frame of the chosen episodes, in order."""

    def __init__(
        self,
        actions: NDArray[np.float32],
        starts: ArrayLike,
        ends: ArrayLike,
        *,
        horizon: int,
        offset: int = 0,
    ) -> None:
        """Lays out the windows.

        Args:
            actions: The actions of the whole dataset, shape (frames, A).
            starts: First frame of each chosen episode, shape (E,).
            ends: One past the last frame of each chosen episode, shape (E,).
            horizon: Actions in a chunk, K.
            offset: The chunk's first row is the action at ``t + offset``; may be negative.

        Raises:
            ConfigError: If the horizon or an episode is empty.
        """
        starts, ends = np.asarray(starts, np.int64), np.asarray(ends, np.int64)
        if horizon < 1:
            raise ConfigError(f"A chunk needs at least 1 action, got horizon={horizon}.")
        if starts.shape != ends.shape or not (starts < ends).all():
            raise ConfigError("Every episode must end after it starts.")
        lengths = ends - starts
        self.actions = actions
        self.horizon = horizon
        self.offset = offset
        self._starts = np.repeat(starts, lengths)
        self._ends = np.repeat(ends, lengths)
        within = np.arange(len(self._starts)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        self.frames = self._starts + within

    def __len__(self) -> int:
        """Windows, one per frame."""
        return len(self.frames)

    def __getitem__(self, index: int) -> Window:
        """Returns one window."""
        batch = self.take([range(len(self))[index]])
        return Window(frame=batch.frame[0], chunk=batch.chunk[0], is_pad=batch.is_pad[0])

    def take(self, indices: ArrayLike) -> Window:
        """Returns B windows at once.

        Args:
            indices: Which windows, in ``range(len(self))``, shape (B,).
        """
        chosen = np.asarray(indices, np.int64)
        frame = self.frames[chosen]
        rows, is_pad = chunk_indices(
            frame, self._starts[chosen], self._ends[chosen], self.horizon, self.offset
        )
        return Window(frame=frame, chunk=self.actions[rows], is_pad=is_pad)
