"""From a vision-language model's folder, as transformers saves it, to a backbone."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModel

from tinyvla_gym.errors import CheckpointError
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig, build_backbone
from tinyvla_gym.policies.tinyvla.foreign import TOGETHER, colours, read_json, vocabulary_file
from tinyvla_gym.policies.tinyvla.pretrained import Pretrained
from tinyvla_gym.policies.tinyvla.released.weights import read_weights, weights_file
from tinyvla_gym.policies.tinyvla.strict import check_weights

STEMS = ("model", "pytorch_model")


def import_vlm(
    folder: Path,
    *,
    side: int | None = None,
    layers: int | None = None,
    hidden: int = -1,
    tokenizer: str | None = None,
) -> Pretrained:
    """Reads an image-text-to-text model of transformers, cut to the layers that are wanted.

    Args:
        folder: Holds ``config.json``, the weights, and the vocabulary.
        side: Of the square that the model's eyes read [px]; the config's picture size when None.
        layers: Language layers to keep; all when None.
        hidden: Which hidden state becomes the features.
        tokenizer: A ``tokenizer.json`` from elsewhere, or ``bytes`` for none.

    Raises:
        CheckpointError: If a file is missing or damaged, or weights are missing or unexpected.
    """
    facts = read_json(folder / "config.json")
    options: dict[str, Any] = {
        "vlm": facts,
        "side": side or _side(folder, facts),
        "layers": layers,
        "hidden": hidden,
        "tokenizer": vocabulary_file(tokenizer, folder),
        **colours(folder),
    }
    backbone = build_backbone(TinyVLAConfig(backbone="vlm", backbone_options=options), 1)
    wanted = backbone.state_dict()
    held = {f"vlm.{name}": tensor for name, tensor in _model(folder).state_dict().items()}
    # What is left over are the language layers above the last one that is kept.
    weights = {name: held[name].float() for name in wanted if name in held}
    check_weights(_file(folder), weights, wanted, remedy=TOGETHER)
    return Pretrained(name="vlm", options=options, weights=weights, source=str(folder))


def _model(folder: Path) -> nn.Module:
    try:
        model, report = AutoModel.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, local_files_only=True
        )
    except Exception as error:  # transformers passes on whatever its file readers raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(
            folder,
            "its weights are missing, damaged or cut short; fetch them again. "
            f"({_culprit(folder) or lines[0]})",
        ) from error
    unexpected = [name for name in report["unexpected_keys"] if "lm_head" not in name]
    for what, names in (("missing", report["missing_keys"]), ("unexpected", unexpected)):
        if names:
            raise CheckpointError(
                _file(folder), f"{what} weights: {', '.join(sorted(names)[:5])}. {TOGETHER}"
            )
    return model


def _file(folder: Path) -> Path:
    """The weights' file, for messages."""
    return weights_file(folder, *STEMS) or folder


def _culprit(folder: Path) -> str:
    """Says which of a folder's weight files cannot be read; nothing if all can."""
    try:
        read_weights(folder, *STEMS)
    except CheckpointError as error:
        return str(error).partition(" cannot be used: ")[2]
    return ""


def _side(folder: Path, facts: dict[str, Any]) -> int:
    eyes = facts.get("vision_config")
    size = eyes.get("image_size") if isinstance(eyes, dict) else None
    size = size[0] if isinstance(size, list) and size else size
    if not isinstance(size, int):
        raise CheckpointError(
            folder,
            "config.json names no picture size; say with side what the model's eyes shall read.",
        )
    return size
