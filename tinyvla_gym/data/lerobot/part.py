"""One episode that is to become part of a dataset, wherever it lies now."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from tinyvla_gym.data.statistics import PixelCounts, Statistics


@dataclass(frozen=True, kw_only=True)
class Note:
    """What is known of an episode besides its frames; see ``Episode``."""

    length: int
    instruction: str
    seed: int
    task: str
    source: str
    success: bool


@dataclass(frozen=True, kw_only=True)
class Footage:
    """Where the pictures of one episode and camera lie in a film.

    Attributes:
        path: The film.
        start_s: When the episode's first picture is shown.
        frames: How many pictures it has.
        size_bytes: About what they take.
        checksums: CRC-32 of each picture as it is coded; empty if nobody took them.
    """

    path: Path
    start_s: float
    frames: int
    size_bytes: int = 0
    checksums: tuple[int, ...] = ()


class Part(Protocol):
    """An episode that can be copied into a dataset without being decoded."""

    @property
    def note(self) -> Note:
        """What is known of it."""
        ...

    @property
    def size_bytes(self) -> int:
        """About what its frames take in a data file."""
        ...

    def frames(self) -> pa.Table:
        """Reads the columns of ``schema.staged_schema``."""
        ...

    def film(self, camera: str) -> Footage:
        """Where the pictures of a camera that is kept as film lie."""
        ...

    def pixels(self, camera: str) -> PixelCounts | None:
        """How often each brightness occurs in a camera's pictures; None if nobody counted."""
        ...

    def pictures(self, camera: str) -> Statistics:
        """The statistics of a camera's pictures."""
        ...
