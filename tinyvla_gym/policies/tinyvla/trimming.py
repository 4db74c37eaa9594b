"""Cutting a batch of prompts to what there is in it.

Shapes: B batch, L pieces of the longest prompt.
"""

from torch import Tensor

from tinyvla_gym.policies.tinyvla.prompts import PADDING, PICTURES


def trimmed(words: Tensor) -> tuple[Tensor, Tensor, int]:
    """Cuts a batch to its longest prompt.

    Args:
        words: What ``Prompts`` gave, (B, L).

    Returns:
        The words, their mask (False where padded), and the pictures' place.
    """
    counts = words != PADDING
    longest = max(1, int(counts.sum(1).max()))
    words, counts = words[:, :longest], counts[:, :longest]
    return words, counts, int((words[0] == PICTURES).nonzero())
