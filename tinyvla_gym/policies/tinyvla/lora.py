"""Low-rank adapters on a backbone (LoRA, Hu et al., arXiv 2106.09685); peft does the work."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.model import TinyVLA

_ADAPTER = "default"

_QKV = {"q_proj", "k_proj", "v_proj", "query", "key", "value", "query_key_value", "qkv"}
"""What transformers' models, and ours, call the layers that make queries, keys and values."""


def add_lora(
    model: TinyVLA,
    *,
    rank: int,
    alpha: float,
    dropout: float = 0.05,
    targets: Sequence[str] | None = None,
) -> None:
    """Puts adapters on layers of the backbone and freezes its own weights.

    The backbone's ``projector``, where it has one, the head, the fusion and the norm stay trainable
    in full. Fresh adapters change nothing.

    Args:
        model: Changed in place.
        rank: Rank of the adapters, r.
        alpha: Their scale is ``alpha / rank``.
        dropout: Share of the adapters' inputs that training drops.
        targets: Names of the layers within the backbone; those that it calls ``adaptable``, or
            else every linear layer outside its projector, when None.

    Raises:
        ConfigError: If the rank is below 1, or the backbone has no such layer.
    """
    if rank < 1:
        raise ConfigError(f"LoRA needs a rank of at least 1, got {rank}.")
    usual = adaptable(model.backbone)
    if not usual:
        raise ConfigError("The backbone has no linear layer to adapt.")
    strange = sorted(set(targets or ()) - {*usual, *_linear(model.backbone)})
    if strange:
        raise ConfigError(f"The backbone has no linear layer {strange[0]!r} to adapt.")
    # As a pattern, because peft reads a list as endings of names, and may adapt more.
    names = "|".join(re.escape(name) for name in (usual if targets is None else targets))
    config = LoraConfig(
        r=rank, lora_alpha=cast(int, alpha), lora_dropout=dropout, target_modules=names
    )
    adapted = get_peft_model(model.backbone, config)  # pyright: ignore[reportArgumentType]
    model.backbone = adapted.train(model.training)  # or a planning policy would drop inputs
    if hasattr(model.backbone, "projector"):
        model.backbone.projector.requires_grad_(True)


def adaptable(backbone: nn.Module) -> list[str]:
    """Names the layers of a backbone that adapters go on unless told otherwise."""
    if hasattr(backbone, "adaptable"):
        return list(cast(Callable[[], list[str]], backbone.adaptable)())
    return [name for name in _linear(backbone) if not name.startswith("projector.")]


def _linear(backbone: nn.Module) -> list[str]:
    return [name for name, part in backbone.named_modules() if isinstance(part, nn.Linear)]


def freeze_adapters(model: TinyVLA) -> None:
    """Leaves a model's adapters as they are; fresh ones then never change anything."""
    for name, weight in model.named_parameters():
        if ".lora_" in name:
            weight.requires_grad_(False)


def attention_layers(backbone: nn.Module) -> list[str]:
    """Names the adaptable layers of a backbone that make queries, keys and values.

    Raises:
        ConfigError: If it has none.
    """
    found = [name for name in adaptable(backbone) if name.rpartition(".")[2] in _QKV]
    if not found:
        raise ConfigError("The backbone has no layer that makes queries, keys or values to adapt.")
    return found


def merge_lora(model: TinyVLA) -> None:
    """Adds the adapters into the weights and removes them; without adapters nothing happens."""
    if isinstance(model.backbone, PeftModel):
        model.backbone = cast(nn.Module, model.backbone.merge_and_unload())


def lora_facts(model: TinyVLA) -> dict[str, Any] | None:
    """Says which adapters a model has, as arguments of ``add_lora``; None without any."""
    if not isinstance(model.backbone, PeftModel):
        return None
    config = cast(LoraConfig, model.backbone.peft_config[_ADAPTER])
    inner = model.backbone.get_base_model()
    targets = [name for name, part in inner.named_modules() if hasattr(part, "lora_A")]
    return {
        "rank": config.r,
        "alpha": config.lora_alpha,
        "dropout": config.lora_dropout,
        "targets": targets,
    }


def plain_name(name: str) -> str:
    """A weight's name without what peft adds: the weight's own, or ``<layer>.lora_A.weight``."""
    within = name.replace("backbone.base_model.model.", "backbone.", 1)
    return within.replace(".base_layer.", ".").replace(f".{_ADAPTER}.", ".")


def plain_weights(model: TinyVLA) -> dict[str, Tensor]:
    """A model's state by plain names."""
    return {plain_name(name): tensor for name, tensor in model.state_dict().items()}


def load_plain_weights(model: TinyVLA, weights: Mapping[str, Tensor]) -> None:
    """Gives a model its state back; the names are those of ``plain_weights``."""
    model.load_state_dict({name: weights[plain_name(name)] for name in model.state_dict()})
