"""The simplest head: a multilayer perceptron that answers with the whole chunk at once.

Shapes: B batch, K actions in a chunk, A action entries, D condition width.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Self

from torch import Tensor, nn

from tinyvla_gym.policies.tinyvla.heads.dice import Dice
from tinyvla_gym.policies.tinyvla.heads.head import Head

if TYPE_CHECKING:
    from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig


class RegressionHead(Head):
    """Learns the median of the demonstrations by the absolute error; cannot choose between two."""

    plans_vary = False
    loss_varies = False

    def __init__(
        self,
        action_size: int,
        condition_size: int,
        horizon: int,
        *,
        width: int = 512,
        layers: int = 2,
    ) -> None:
        """Builds the head.

        Args:
            action_size: A.
            condition_size: D.
            horizon: K.
            width: Features of the hidden layers.
            layers: Hidden layers.
        """
        super().__init__()
        self.horizon = horizon
        widths = [condition_size, *[width] * layers]
        hidden = [
            nn.Sequential(nn.Linear(before, after), nn.GELU()) for before, after in pairwise(widths)
        ]
        self.layers = nn.Sequential(*hidden, nn.Linear(widths[-1], horizon * action_size))

    @classmethod
    def from_config(cls, config: "TinyVLAConfig", action_size: int, condition_size: int) -> Self:
        """Builds the head."""
        return cls(action_size, condition_size, config.horizon, **config.head_options)

    def errors(
        self,
        condition: Tensor,
        actions: Tensor,
        is_pad: Tensor,
        dice: Dice,
    ) -> Tensor:
        """Absolute errors."""
        return (self.chunks(condition, actions) - actions).abs().mean(-1)  # (B, K)

    def chunks(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Answers; the noise has no say."""
        return self.layers(condition).view(noise.shape)
