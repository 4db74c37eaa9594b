"""LoRA adapters of a released run, added into the weights that they adapt."""

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from tinyvla_gym.errors import CheckpointError
from tinyvla_gym.policies.tinyvla.released.names import adapted_weight
from tinyvla_gym.policies.tinyvla.released.weights import read_weights

SETTINGS, STEM = "adapter_config.json", "adapter_model"
UNKNOWN_HERE = ("use_rslora", "use_dora", "fan_in_fan_out", "rank_pattern", "alpha_pattern")


def merge_adapters(folder: Path, weights: dict[str, Tensor]) -> int:
    """Adds ``alpha / r * B A`` to each weight that a run adapts.

    Args:
        folder: Holds ``adapter_config.json`` and ``adapter_model``.
        weights: By our names; changed in place.

    Returns:
        The number of weights that were adapted.

    Raises:
        CheckpointError: If the files do not fit each other or the weights.
    """
    scale = _scale(folder, _settings(folder))
    pairs: dict[str, dict[str, Tensor]] = {}
    for name, tensor in read_weights(folder, STEM).items():
        adapted = adapted_weight(name)
        if adapted is None or adapted[0] not in weights:
            raise CheckpointError(
                folder,
                f"{STEM} has {name}, which adapts no weight of the base. Is it the right "
                "base, and the right run?",
            )
        pairs.setdefault(adapted[0], {})[adapted[1]] = tensor.float()
    for name, pair in pairs.items():
        if pair.keys() != {"A", "B"}:
            raise CheckpointError(folder, f"{STEM} has only half of the adapter of {name}.")
        weight, low, high = weights[name], pair["A"], pair["B"]
        if (high.shape[0], low.shape[1], low.shape[0]) != (*weight.shape, high.shape[1]):
            raise CheckpointError(
                folder,
                f"{STEM} adapts {name} {tuple(weight.shape)} by {tuple(high.shape)} times "
                f"{tuple(low.shape)}. Is it the right base?",
            )
        weights[name] = weight + (high @ low) * scale
    return len(pairs)


def has_adapters(folder: Path) -> bool:
    """Says whether a folder holds a run's adapters."""
    return (folder / SETTINGS).is_file()


def _settings(folder: Path) -> dict[str, Any]:
    try:
        settings = json.loads((folder / SETTINGS).read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(folder, f"{SETTINGS} is missing or damaged: {error}") from error
    if not isinstance(settings, dict):
        raise CheckpointError(folder, f"{SETTINGS} is damaged: it holds no settings.")
    return settings


def _scale(folder: Path, settings: dict[str, Any]) -> float:
    strange = [name for name in UNKNOWN_HERE if settings.get(name)]
    if settings.get("bias", "none") != "none":
        strange.append("bias")
    if settings.get("peft_type") != "LORA" or strange:
        raise CheckpointError(
            folder,
            f"{SETTINGS} asks for more than plain LoRA: {', '.join(strange) or 'peft_type'}. "
            "Merge the adapters with peft and convert the merged weights.",
        )
    try:
        return float(settings["lora_alpha"]) / int(settings["r"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise CheckpointError(folder, f"{SETTINGS} has no sound lora_alpha and r.") from error
