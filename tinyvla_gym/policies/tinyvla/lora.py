"""Low-rank adapters on a backbone (LoRA, Hu et al., arXiv 2106.09685); peft does the work."""

from typing import cast

from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.model import TinyVLA


def add_lora(model: TinyVLA, *, rank: int, alpha: float, dropout: float = 0.05) -> None:
    """Puts adapters on every linear layer of the backbone and freezes its own weights.

    The head, the fusion and the norm stay trainable. Fresh adapters change nothing.

    Args:
        model: Changed in place.
        rank: Rank of the adapters, r.
        alpha: Their scale is ``alpha / rank``.
        dropout: Share of the adapters' inputs that training drops.

    Raises:
        ConfigError: If the rank is below 1, or the backbone has no linear layer.
    """
    if rank < 1:
        raise ConfigError(f"LoRA needs a rank of at least 1, got {rank}.")
    linear = [name for name, part in model.backbone.named_modules() if isinstance(part, nn.Linear)]
    if not linear:
        raise ConfigError("The backbone has no linear layer to adapt.")
    config = LoraConfig(
        r=rank, lora_alpha=cast(int, alpha), lora_dropout=dropout, target_modules=linear
    )
    model.backbone = get_peft_model(model.backbone, config)  # pyright: ignore[reportArgumentType]


def merge_lora(model: TinyVLA) -> None:
    """Adds the adapters into the weights and removes them; without adapters nothing happens."""
    if isinstance(model.backbone, PeftModel):
        model.backbone = cast(nn.Module, model.backbone.merge_and_unload())
