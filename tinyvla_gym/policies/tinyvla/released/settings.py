"""The released ``config.json`` and ``preprocessor_config.json``, as our config."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from tinyvla_gym.errors import CheckpointError, ConfigError
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig
from tinyvla_gym.policies.tinyvla.foreign import chosen, colours, read_json

CONFIG = "config.json"

BODY = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
    *("intermediate_size", "max_position_embeddings", "hidden_act", "layer_norm_eps"),
    *("use_parallel_residual", "rotary_pct", "rotary_emb_base"),
)
"""Settings of transformers' GPT-NeoX that make a body what it is."""
TOWER = (
    *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    *("image_size", "patch_size", "hidden_act", "layer_norm_eps"),
)
"""And of its CLIP or SigLIP towers."""


def read_settings(folder: Path) -> dict[str, Any]:
    """Reads the ``config.json`` of a LLaVA-Pythia folder.

    Raises:
        CheckpointError: If it is missing, damaged, or another model's.
    """
    settings = read_json(folder / CONFIG)
    kind = settings.get("model_type")
    if kind != "llava_pythia":
        raise CheckpointError(
            folder, f"{CONFIG} has model_type {kind!r}; the authors' folders say 'llava_pythia'."
        )
    return settings


def backbone_options(folder: Path, settings: Mapping[str, Any], tokenizer: str) -> dict[str, Any]:
    """Reads the options of ``LlavaPythia`` from a folder's settings.

    Args:
        folder: Holds ``preprocessor_config.json``, if there is one.
        settings: What ``read_settings`` gave.
        tokenizer: The vocabulary's file; bytes when empty.

    Raises:
        CheckpointError: If a key is missing or not to be understood.
    """
    path = folder / CONFIG
    try:
        tower = settings["vision_config"]["vision_tower"]
        name = str(tower["vision_model_name_or_path"])
        options = {
            "vision": {"model_type": _tower_kind(folder, name), **chosen(path, tower, TOWER)},
            "body": chosen(path, settings, BODY),
            "layer": int(tower["mm_vision_select_layer"]),
            "projection": str(settings["vision_config"]["mm_projector"]["mm_projector_type"]),
            "tokenizer": tokenizer,
        }
        feature = tower["mm_vision_select_feature"]
    except KeyError as error:
        raise CheckpointError(folder, f"{CONFIG} has no {error}.") from error
    except CheckpointError:
        raise
    except (TypeError, ValueError) as error:
        raise CheckpointError(folder, f"{CONFIG} is damaged: {error}") from error
    if feature != "patch":
        raise CheckpointError(
            folder, f"{CONFIG} reads the {feature!r} features; only 'patch' is known here."
        )
    return {**options, **colours(folder)}


def run_config(
    folder: Path, settings: Mapping[str, Any], options: Mapping[str, Any], head: dict[str, Tensor]
) -> TinyVLAConfig:
    """Reads the whole model of a trained run; what the settings do not say, its weights do.

    Args:
        folder: For messages.
        settings: What ``read_settings`` gave.
        options: Of the backbone.
        head: The run's weights by our names.

    Raises:
        CheckpointError: If the run has another head, or its shapes are no U-Net's.
    """
    kind = settings.get("action_head_type")
    if kind != "droid_diffusion":
        raise CheckpointError(
            folder,
            f"{CONFIG} has action_head_type {kind!r}; only droid_diffusion runs can be converted.",
        )
    try:
        shapes = {name: tuple(weight.shape) for name, weight in head.items()}
        step = shapes["head.denoiser.step_encoder.1.weight"][1]
        firsts = [shapes[f"head.denoiser.down.{level}.0.first.0.weight"] for level in range(3)]
        kernel = firsts[0][2]
    except (IndexError, KeyError) as error:
        raise CheckpointError(
            folder,
            f"it has no action head: {error} is not among its weights. A base has none; "
            "give a trained run.",
        ) from error
    horizon = settings.get("chunk_size", 16)
    if not isinstance(horizon, int):
        raise CheckpointError(
            folder, f"{CONFIG} has chunk_size={horizon!r}; say there how many actions a chunk has."
        )
    try:
        return TinyVLAConfig(
            backbone="llava_pythia",
            backbone_options=dict(options),
            horizon=horizon,
            execute=max(1, horizon // 2),
            widths=(firsts[0][0], firsts[1][0], firsts[2][0]),
            step_size=step,
            kernel=kernel,
            fusion_layers=1,
        )
    except ConfigError as error:
        raise CheckpointError(
            folder, f"{CONFIG} has chunk_size={horizon}, which does not fit its weights: {error}"
        ) from error


def _tower_kind(folder: Path, name: str) -> str:
    for word in ("clip", "siglip"):  # in the released code's order
        if word in name.lower():
            return f"{word}_vision_model"
    raise CheckpointError(folder, f"{CONFIG} names the vision tower {name!r}: no CLIP, no SigLIP.")
