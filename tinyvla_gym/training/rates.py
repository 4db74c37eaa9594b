"""Learning rates: how high each group of weights goes, and how far along the way it is."""

import math
from typing import Any

from torch import nn

from tinyvla_gym.training.config import TrainConfig


def weight_groups(learner: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """What is trained, in groups for an optimiser; ``peak`` is a group's highest rate.

    With adapters and a ``head_rate`` there are two: the adapters, and everything else.
    """
    named = [(name, weight) for name, weight in learner.named_parameters() if weight.requires_grad]
    if config.head_rate is None or not config.lora_rank:
        return [{"params": [weight for _, weight in named], "peak": config.learning_rate}]
    adapters = [weight for name, weight in named if ".lora_" in name]
    others = [weight for name, weight in named if ".lora_" not in name]
    return [
        {"params": adapters, "peak": config.learning_rate},
        {"params": others, "peak": config.head_rate},
    ]


def learning_share(step: int, config: TrainConfig) -> float:
    """The share of the peak rate: linear warm-up, then a cosine that ends at 0."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / (config.steps - config.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * done))
