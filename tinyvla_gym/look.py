"""How a model makes a large picture small before it looks: the same bits wherever it is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Look:
    """The middle of a picture, averaged over squares of pixels to whole grey levels.

    A picture none of whose edges is longer than ``px`` stays as it is, so that what was reduced
    beforehand is not reduced again.

    Attributes:
        px: The longer edge afterwards [px].
        middle_px: Edge of the middle part that is looked at [px]; the whole picture if None.
    """

    px: int
    middle_px: int | None = None

    def __post_init__(self) -> None:
        if self.px < 1 or (self.middle_px is not None and self.middle_px < self.px):
            raise ConfigError(
                f"look_px={self.px} must be at least 1, and no more than "
                f"look_middle_px={self.middle_px}."
            )

    def window(self, height: int, width: int) -> tuple[slice, slice]:
        """Says which rows and columns of a picture are looked at."""
        if max(height, width) <= self.px or self.middle_px is None:
            return slice(0, height), slice(0, width)
        kept = [(edge, min(edge, self.middle_px)) for edge in (height, width)]
        rows, columns = (slice((edge - k) // 2, (edge + k) // 2) for edge, k in kept)
        return rows, columns

    def factor(self, height: int, width: int) -> int:
        """Says how many pixels become one, along each axis.

        Raises:
            ConfigError: If that is no whole number, or does not divide both edges.
        """
        edges = [part.stop - part.start for part in self.window(height, width)]
        if max(edges) <= self.px:
            return 1
        factor = max(edges) // self.px
        if factor * self.px == max(edges) and not any(edge % factor for edge in edges):
            return factor
        whole = [count for count in range(2, 17) if not any(edge % count for edge in edges)]
        raise ConfigError(
            f"{edges[0]} x {edges[1]} px, looked at of a picture of {height} x {width} px, cannot "
            f"be reduced to look_px={self.px} by whole squares of pixels. These would do: "
            f"{', '.join(str(max(edges) // count) for count in whole) or 'none'}."
        )

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Returns height and width afterwards [px]; raises what ``factor`` raises."""
        factor = self.factor(height, width)
        rows, columns = self.window(height, width)
        return (rows.stop - rows.start) // factor, (columns.stop - columns.start) // factor

    def reduce(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Reduces pictures; halves are rounded up.

        Args:
            pictures: Shape (..., H, W, 3).

        Returns:
            Shape (..., h, w, 3), with ``size(H, W)``.
        """
        height, width = pictures.shape[-3:-1]
        factor = self.factor(height, width)
        rows, columns = self.window(height, width)
        kept = pictures[..., rows, columns, :]
        if factor == 1:
            return kept
        # Rows first: they are long stretches of memory, and leave less to add.
        total = kept[..., ::factor, :, :].astype(np.uint32)
        for row in range(1, factor):
            total += kept[..., row::factor, :, :]
        narrow = total[..., ::factor, :].copy()
        for column in range(1, factor):
            narrow += total[..., column::factor, :]
        pixels = factor * factor
        return ((2 * narrow + pixels) // (2 * pixels)).astype(np.uint8)


def look_of(options: Mapping[str, Any]) -> Look | None:
    """Reads a backbone's ``look_px`` and ``look_middle_px``; None if it reduces nothing.

    Raises:
        ConfigError: If they do not fit each other.
    """
    px, middle_px = options.get("look_px"), options.get("look_middle_px")
    if px is None and middle_px is not None:
        raise ConfigError(f"look_middle_px={middle_px} needs a look_px to reduce the middle to.")
    return None if px is None else Look(px=px, middle_px=middle_px)
