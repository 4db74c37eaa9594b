"""Flow matching (Lipman et al., arXiv 2210.02747) on straight lines from noise to actions.

Shapes: B batch, K actions in a chunk, A action entries, D condition width.
"""

from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.denoiser import ConditionalUnet1D
from tinyvla_gym.policies.tinyvla.heads.dice import Dice
from tinyvla_gym.policies.tinyvla.heads.head import Head

if TYPE_CHECKING:
    from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig

LEVELS = 100
"""What the U-Net is told at time 1; its embedding was made for levels from 0 to 100."""


class FlowHead(Head):
    """Predicts the velocity from noise (time 0) to actions (time 1); samples by Euler steps."""

    multiple = 4

    def __init__(self, denoiser: nn.Module, *, sample_steps: int = 10) -> None:
        """Builds the head.

        Args:
            denoiser: Maps (chunk on its way, 100 x time, condition) to a velocity.
            sample_steps: Euler steps of one plan.

        Raises:
            ConfigError: If there is no step.
        """
        super().__init__()
        if sample_steps < 1:
            raise ConfigError(f"sample_steps must be at least 1, got {sample_steps}.")
        self.denoiser = denoiser
        self.sample_steps = sample_steps

    @classmethod
    def from_config(cls, config: "TinyVLAConfig", action_size: int, condition_size: int) -> Self:
        """Builds the head and its U-Net."""
        unet = ConditionalUnet1D.from_config(config, action_size, condition_size)
        return cls(unet, sample_steps=config.sample_steps, **config.head_options)

    def errors(
        self,
        condition: Tensor,
        actions: Tensor,
        is_pad: Tensor,
        dice: Dice,
    ) -> Tensor:
        """Squared error of the velocity at a random time."""
        time = dice.uniform(len(actions)).to(actions.device)
        noise = dice.normal(actions.shape).to(actions.device)
        between = torch.lerp(noise, actions, time[:, None, None])
        velocity = self.denoiser(between, LEVELS * time, condition)
        return F.mse_loss(velocity, actions - noise, reduction="none").mean(-1)  # (B, K)

    def chunks(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Follows the velocity from the noise to the actions."""
        chunk = noise
        for step in range(self.sample_steps):
            level = condition.new_full((chunk.shape[0],), LEVELS * step / self.sample_steps)
            chunk = chunk + self.denoiser(chunk, level, condition) / self.sample_steps
        return chunk
