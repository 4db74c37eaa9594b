"""From instructions to a language model's integers, with a mark where the pictures go.

Needs numpy only, so that exported policies read as others do.

Shapes: B batch, L pieces of the longest prompt.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError, InstructionError
from tinyvla_gym.policies.tinyvla.vocabulary import Vocabulary

PICTURES = -200
"""Where the pictures' tokens go; the same place in every prompt."""
PADDING = -1
"""Fills the shorter prompts of a batch, on the right."""


class Prompts:
    """Turns instructions into prompts, and prompts into integers.

    Attributes:
        place: Of the pictures' mark, the same in every prompt.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        before: str,
        after: Callable[[str], str],
        end: Sequence[int] = (),
        longest: int,
    ) -> None:
        """Prepares what all prompts share.

        Args:
            vocabulary: Splits text into pieces.
            before: What stands before the pictures.
            after: Makes what stands behind them from an instruction.
            end: Pieces that end every prompt.
            longest: Pieces that the language model has places for, the pictures' mark among
                them.

        Raises:
            ConfigError: If a prompt does not fit even without a sentence.
        """
        self.vocabulary = vocabulary
        self.after = after
        self.longest = longest
        self._before = [*vocabulary.encode(before), PICTURES]
        self._end = list(end)
        self.place = len(self._before) - 1
        shortest = len(self._encoded(""))
        if shortest > longest:
            raise ConfigError(
                f"The prompt around a sentence has {shortest} pieces, but the pictures leave "
                f"places for {longest}: use fewer cameras or smaller pictures."
            )

    def __call__(self, instructions: Sequence[str]) -> NDArray[np.int64]:
        """Turns instructions into integers, int64, (B, L).

        Raises:
            InstructionError: If one is longer than the language model's context.
        """
        rows = [self._encoded(instruction) for instruction in instructions]
        for instruction, row in zip(instructions, rows, strict=True):
            if len(row) > self.longest:
                raise InstructionError(
                    f"The instruction {instruction!r} makes a prompt of {len(row)} pieces; beside "
                    f"the pictures there are places for {self.longest}. Use a shorter sentence."
                )
        return padded(rows, PADDING)

    def _encoded(self, instruction: str) -> list[int]:
        return [*self._before, *self.vocabulary.encode(self.after(instruction)), *self._end]


def padded(rows: Sequence[Sequence[int]], filler: int) -> NDArray[np.int64]:
    """Puts rows of any length into one table, filled up at their ends, (B, L)."""
    table = np.full((len(rows), max(map(len, rows), default=0)), filler, np.int64)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return table
