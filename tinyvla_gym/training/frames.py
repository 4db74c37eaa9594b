"""What training reads of a dataset: its frames, or what frozen eyes have made of them.

Shapes: A action entries, S state entries, H and W picture size.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Features = Mapping[str, tuple[NDArray[np.float32], ...]]
"""Camera -> what a backbone perceives of every frame, each (frames, ...)."""


class Frames(Protocol):
    """What training reads: ``data.cache.Cache`` is one."""

    @property
    def fingerprint(self) -> str:
        """The data's; it changes with every picture."""
        ...

    @property
    def images(self) -> Mapping[str, NDArray[np.uint8]]:
        """Camera -> pictures, (frames, H, W, 3)."""
        ...

    @property
    def state(self) -> NDArray[np.float32]:
        """Shape (frames, S)."""
        ...

    @property
    def action(self) -> NDArray[np.float32]:
        """The clean labels, (frames, A)."""
        ...

    @property
    def episode_of(self) -> NDArray[np.int64]:
        """Which episode each frame belongs to, (frames,)."""
        ...

    @property
    def starts(self) -> NDArray[np.int64]:
        """First frame of each episode, (episodes,)."""
        ...

    @property
    def ends(self) -> NDArray[np.int64]:
        """One past the last frame of each episode, (episodes,)."""
        ...

    @property
    def instructions(self) -> Sequence[str]:
        """What each episode was told."""
        ...

    @property
    def tasks(self) -> Sequence[str]:
        """Each episode's task; empty where unknown."""
        ...
