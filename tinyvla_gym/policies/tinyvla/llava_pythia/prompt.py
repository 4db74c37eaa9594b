"""The sentence as LLaVA-Pythia reads it: a conversation whose answer is yet to come.

The released code trains on two spaces after ``ASSISTANT:`` and evaluates on one, which are
different tokens; and only training strips the instruction. Both forms are here by name.

Shapes: B batch, L pieces of the longest prompt.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from tinyvla_gym.errors import ConfigError, InstructionError
from tinyvla_gym.policies.tinyvla.vocabulary import Vocabulary

PromptForm = Literal["training", "evaluation"]

SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions."
)
BEFORE = f"{SYSTEM} USER: "
"""What stands before the pictures."""

PICTURES = -200
"""Where the pictures' tokens go; the same place in every prompt."""
PADDING = -1
"""Fills the shorter prompts of a batch, on the right."""
END_OF_TEXT = 0


class Prompts:
    """Turns instructions into prompts, and prompts into integers."""

    def __init__(self, vocabulary: Vocabulary, *, form: PromptForm, longest: int) -> None:
        """Prepares what all prompts share.

        Args:
            vocabulary: Splits text into pieces.
            form: ``training``: stripped, two spaces before the answer; ``evaluation``: as given,
                one space.
            longest: Pieces that the language model has places for, beside the pictures' tokens.

        Raises:
            ConfigError: If the form is another, or the prompt's frame does not fit.
        """
        if form not in ("training", "evaluation"):
            raise ConfigError(f"The prompt's form is training or evaluation, got {form!r}.")
        self.vocabulary = vocabulary
        self.form = form
        self.longest = longest
        self._before = vocabulary.encode(BEFORE)
        if len(self._encoded("")) > longest:
            raise ConfigError(
                f"The prompt around a sentence has {len(self._encoded(''))} pieces, but the "
                f"pictures leave places for {longest}: use fewer cameras or smaller pictures."
            )

    def after(self, instruction: str) -> str:
        """Says what stands behind the pictures, save the end of text."""
        if self.form == "training":
            return f"\n{instruction.strip()} ASSISTANT:  "
        return f"\n{instruction} ASSISTANT: "

    def __call__(self, instructions: Sequence[str]) -> Tensor:
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
        table = torch.full((len(rows), max(map(len, rows), default=0)), PADDING)
        for place, row in enumerate(rows):
            table[place, : len(row)] = torch.tensor(row)
        return table

    def _encoded(self, instruction: str) -> list[int]:
        behind = self.vocabulary.encode(self.after(instruction))
        return [*self._before, PICTURES, *behind, END_OF_TEXT]
