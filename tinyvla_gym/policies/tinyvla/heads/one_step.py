"""One look, one network evaluation: MeanFlow (Geng et al., arXiv 2505.13447).

Instead of the velocity at a time, the network learns the mean velocity over a span of time, which
jumps from noise to actions at once. No teacher is needed: what the mean must be follows from its
own derivative along the way.

The paper takes that derivative by forward-mode differentiation. Here it is a central difference:
two evaluations without gradients, a third of the time, and nothing that a layer must support.

Shapes: B batch, K actions in a chunk, A action entries, D condition width.
"""

from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from tinyvla_gym.policies.tinyvla.denoiser import ConditionalUnet1D, SinusoidalEmbedding
from tinyvla_gym.policies.tinyvla.heads.dice import Dice
from tinyvla_gym.policies.tinyvla.heads.head import Head

if TYPE_CHECKING:
    from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig

SMALLEST = 1e-3
"""Keeps the weight of a perfect prediction finite."""
MOMENT = 0.01
"""Half the time between the two evaluations of a difference."""


class OneStepHead(Head):
    """Predicts the mean velocity from noise (time 0) to actions (time 1) over a span."""

    multiple = 4

    def __init__(
        self,
        denoiser: nn.Module,
        condition_size: int,
        *,
        step_size: int = 64,
        span_share: float = 0.5,
    ) -> None:
        """Builds the head.

        Args:
            denoiser: Maps (chunk on its way, time, condition) to a mean velocity. Times from
                0 to 1 are told as they are: larger numbers would turn the embedding's sines so
                fast that derivatives drown what is to be learned.
            condition_size: D.
            step_size: Width of the span's embedding.
            span_share: Share of the training examples with a span; the others have none, and
                learn the velocity itself.
        """
        super().__init__()
        self.denoiser = denoiser
        self.span_encoder = nn.Sequential(
            SinusoidalEmbedding(step_size), nn.Linear(step_size, condition_size)
        )
        self.span_share = span_share

    @classmethod
    def from_config(cls, config: "TinyVLAConfig", action_size: int, condition_size: int) -> Self:
        """Builds the head and its U-Net."""
        unet = ConditionalUnet1D.from_config(config, action_size, condition_size)
        return cls(unet, condition_size, step_size=config.step_size, **config.head_options)

    def errors(
        self,
        condition: Tensor,
        actions: Tensor,
        is_pad: Tensor,
        dice: Dice,
    ) -> Tensor:
        """Squared error of the mean velocity; each example is weighed by how wrong it is.

        Examples of which little can be known count for less. The weight is the paper's with
        p = 0.5; with its p = 1, times near the noise, where plans part, count for too little.
        """
        noise = dice.normal(actions.shape).to(actions.device)
        start, end = self._spans(len(actions), dice).to(actions.device)
        velocity = actions - noise
        place = torch.lerp(noise, actions, start[:, None, None])
        with torch.no_grad():
            slope = self._slopes(place, velocity, start, end, condition)
        wanted = velocity + (end - start)[:, None, None] * slope
        error = (self._mean_velocity(place, start, end, condition) - wanted).square().mean(-1)
        counts = (~is_pad).float()
        size = (error.detach() * counts).sum(1) / counts.sum(1).clamp(min=1)  # (B,)
        return error / (size + SMALLEST).sqrt()[:, None]  # (B, K)

    def chunks(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Jumps."""
        start, end = condition.new_zeros(noise.shape[0]), condition.new_ones(noise.shape[0])
        return noise + self._mean_velocity(noise, start, end, condition)

    def _spans(self, count: int, dice: Dice) -> Tensor:
        """Starts and ends of spans of time, shape (2, B)."""
        # Most of what is hard happens near the noise, so times crowd there (mean of logits -0.4).
        times = torch.sigmoid(dice.normal((count, 2)).T - 0.4)
        start, end = times.sort(dim=0).values
        has_span = dice.uniform(count) < self.span_share
        return torch.stack([start, torch.where(has_span, end, start)])

    def _slopes(
        self, place: Tensor, velocity: Tensor, start: Tensor, end: Tensor, condition: Tensor
    ) -> Tensor:
        """How the mean velocity changes as the start moves on; 0 where there is no span."""
        rows = (end > start).nonzero()[:, 0]
        slopes = torch.zeros_like(place)
        place, velocity, start, end, condition = (
            each[rows] for each in (place, velocity, start, end, condition)
        )
        after, before = (
            self._mean_velocity(place + moment * velocity, start + moment, end, condition)
            for moment in (MOMENT, -MOMENT)
        )
        slopes[rows] = (after - before) / (2 * MOMENT)
        return slopes

    def _mean_velocity(
        self, place: Tensor, start: Tensor, end: Tensor, condition: Tensor
    ) -> Tensor:
        return self.denoiser(place, start, condition + self.span_encoder(end - start))
