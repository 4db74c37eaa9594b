"""Averaged weights."""

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


class Ema(Generic[M]):
    """An exponential moving average of a model's weights, with a warm-up."""

    def __init__(self, model: M, decay: float) -> None:
        """Starts at the model's weights.

        Args:
            model: What is averaged; a copy is kept.
            decay: Share of the old average that one update keeps, at most.
        """
        self.model: M = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Moves the average towards the model.

        Args:
            model: After its optimiser step.
            step: Counted from 0; early averages forget faster.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        theirs, ours = model.state_dict(), self.model.state_dict()
        still = {name for name, weight in model.named_parameters() if not weight.requires_grad}
        for name, tensor in ours.items():
            if name in still:
                continue  # a frozen weight is its own average
            if tensor.dtype.is_floating_point:
                tensor.lerp_(theirs[name], 1 - decay)
            else:
                tensor.copy_(theirs[name])
