"""What a backbone is: pictures and a sentence in, token features and their mask out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

Seen = Tensor | tuple[Tensor, ...]
"""A camera's pictures, uint8, (B, H, W, 3); or what a backbone's ``perceive`` made of them."""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What a backbone understood.

    Attributes:
        features: Shape (B, T, C).
        mask: False where a token is padding, shape (B, T).
    """

    features: Tensor
    mask: Tensor

    def pooled(self) -> Tensor:
        """Mean over the tokens that count, shape (B, C).

        The released code averages over padding too, so that a sentence's neighbours in the
        batch change what it means.
        """
        weights = self.mask.to(self.features.dtype)[..., None]  # (B, T, 1)
        return (self.features * weights).sum(1) / weights.sum(1).clamp(min=1)


class Backbone(Protocol):
    """A vision-language model as the policy sees it; a ``torch.nn.Module``."""

    width: int
    """C, features per token."""

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Turns sentences into integers, one row each; padding is the backbone's business."""
        ...

    def __call__(self, images: Sequence[Seen], words: Tensor) -> Tokens:
        """Looks and reads.

        Args:
            images: One entry per camera, in the interface's order: uint8, (B, H, W, 3), or what
                a ``Perceiving`` backbone has made of it before.
            words: What ``tokenize`` gave, first dimension B.
        """
        ...


class Perceiving(Protocol):
    """A backbone that looks without having read, so that what it saw can be kept."""

    @property
    def perceiver(self) -> nn.Module:
        """The part that looks; while its weights stand still, so does what it sees."""
        ...

    def perceive(self, image: Tensor) -> tuple[Tensor, ...]:
        """Looks at one camera's pictures, uint8, (B, H, W, 3); first dimensions are B."""
        ...
