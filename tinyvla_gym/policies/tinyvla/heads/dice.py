"""Draws that do not depend on how a batch is cut: for the whole of it, and then handed out."""

from collections.abc import Sequence

import torch
from torch import Tensor


class Dice:
    """All that is random in a head's loss, for the rows of one of a batch's equal parts.

    The parts are cut in order, so that it does not matter how many draws a frame has.
    """

    def __init__(
        self, generator: torch.Generator | None = None, *, part: int = 0, parts: int = 1
    ) -> None:
        """Says whose rows are wanted.

        Args:
            generator: On the CPU, and in the same state for every part; torch's global one
                when None.
            part: Which part, from 0.
            parts: How many.
        """
        self._generator = generator
        self._part = part
        self._parts = parts

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers, of that shape for this part."""
        return self._own(torch.randn(self._whole(shape), generator=self._generator))

    def uniform(self, count: int) -> Tensor:
        """Numbers in [0, 1), one for each of this part's rows."""
        return self._own(torch.rand(self._whole([count]), generator=self._generator))

    def integers(self, high: int, count: int) -> Tensor:
        """Integers from 0 to ``high - 1``, one for each of this part's rows."""
        return self._own(torch.randint(high, self._whole([count]), generator=self._generator))

    def _whole(self, shape: Sequence[int]) -> list[int]:
        return [shape[0] * self._parts, *shape[1:]]

    def _own(self, whole: Tensor) -> Tensor:
        return whole.chunk(self._parts)[self._part] if len(whole) else whole
