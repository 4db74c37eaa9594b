"""What every foreign format looks like from here: episodes of named columns."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.data.lerobot.facts import Facts


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: something that is known at every tick.

    Attributes:
        shape: Shape of one row; (H, W, 3) for pictures.
        names: What its entries are called, if anybody says so.
        is_picture: Whether it holds uint8 RGB pictures.
    """

    shape: tuple[int, ...]
    names: tuple[str, ...] | None = None
    is_picture: bool = False

    @property
    def width(self) -> int:
        """Entries of one row."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, kw_only=True, eq=False)
class RawEpisode:
    """One episode as the foreign format has it.

    Attributes:
        columns: Column name to values, shape (T, ...).
        instruction: The sentence; empty if nobody wrote it down.
        seed: Its seed; None if unknown.
        task: The env's name of the task; empty if unknown.
        source: Who chose the actions; None if unknown.
    """

    columns: dict[str, NDArray]
    instruction: str = ""
    seed: int | None = None
    task: str = ""
    source: str | None = None


class Source(Protocol):
    """Episodes of a foreign format."""

    @property
    def fps(self) -> float | None:
        """Ticks per second; None if nobody says so."""
        ...

    @property
    def columns(self) -> Mapping[str, Column]:
        """What every episode has."""
        ...

    @property
    def facts(self) -> Facts | None:
        """Our own facts, if the data was exported by this package."""
        ...

    def __len__(self) -> int:
        """Episodes."""
        ...

    def read(self, index: int, columns: Collection[str]) -> RawEpisode:
        """Reads some columns of an episode.

        Raises:
            DatasetError: If it is damaged.
        """
        ...
