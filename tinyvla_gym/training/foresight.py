"""While it trains, a model also foretells its own state, which teaches it where things are.

The hand will soon be at the object and later at the goal, so whoever foretells the demonstration's
state some ticks ahead must have found both in the pictures. Regression says so without the noise
of the diffusion loss. Nothing but the demonstration is used, and the finished policy has no such
part.

Shapes: B batch, F times to foretell, S state entries, D condition width.
"""

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinyvla_gym.policies.tinyvla.model import TinyVLA
from tinyvla_gym.training.batches import Batch


class Learner(nn.Module):
    """A model and what only its training needs."""

    def __init__(
        self, model: TinyVLA, *, times: int, state_size: int, weight: float, half: bool = False
    ) -> None:
        """Joins the parts.

        Args:
            model: What is trained.
            times: F; 0 for no foresight.
            state_size: S.
            weight: Factor on the error of the foretold states.
            half: Compute the backbone in bfloat16; head and foresight stay in float32.
        """
        super().__init__()
        self.model = model
        self.foretell = nn.Linear(model.condition_size, times * state_size) if times else None
        self.weight = weight
        self.in_half = half

    def loss(self, batch: Batch, *, draws: int, generator: torch.Generator) -> Tensor:
        """The head's loss, and the squared error of the foretold states; a scalar.

        The losses of a batch's parts add up to the loss of the whole batch.
        """
        device = batch.actions.device.type
        with torch.autocast(device, torch.bfloat16) if self.in_half else nullcontext():
            condition = self.model.encode(batch.inputs).float()  # (B, D)
        loss = self.model.head.loss(
            condition,
            batch.actions,
            batch.is_pad,
            draws=draws,
            generator=generator,
            part=batch.part,
            parts=batch.parts,
        )
        loss = loss * batch.share
        if self.foretell is None:
            return loss
        foretold = self.foretell(condition).view_as(batch.future)  # (B, F, S)
        return loss + self.weight / batch.parts * F.mse_loss(foretold, batch.future)
