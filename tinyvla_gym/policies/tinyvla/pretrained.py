"""A backbone's own folder: its options, its weights and its vocabulary, without a head.

What ``tinyvla-gym convert`` makes of a vision-language model, and what training begins from.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tinyvla_gym.errors import CheckpointError
from tinyvla_gym.policies.checkpoint import (
    VOCABULARY,
    WEIGHTS,
    read_config,
    read_folder,
    write_folder,
)
from tinyvla_gym.policies.hub import find_folder
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig
from tinyvla_gym.policies.tinyvla.strict import check_weights
from tinyvla_gym.policies.tinyvla.vocabulary import Pieces

KIND = "backbone"


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A backbone that somebody has trained.

    Attributes:
        name: Which backbone, a key of ``config.BACKBONES``.
        options: Its keyword arguments.
        weights: By their names in the backbone.
        source: Where they were read.
    """

    name: str
    options: dict[str, Any]
    weights: dict[str, Tensor]
    source: str

    def within(self, config: TinyVLAConfig) -> TinyVLAConfig:
        """Puts this backbone into a model's config."""
        return replace(config, backbone=self.name, backbone_options=dict(self.options))

    def load_into(self, backbone: nn.Module) -> None:
        """Gives a freshly built backbone these weights.

        Raises:
            CheckpointError: If they do not fit; it names them.
        """
        remedy = "Fetch or copy it again, together with its config.json."
        check_weights(self.source, self.weights, backbone.state_dict(), remedy=remedy)
        backbone.load_state_dict(self.weights)


def save_backbone(
    folder: Path | str, name: str, options: dict[str, Any], backbone: nn.Module
) -> None:
    """Writes a backbone's folder; weights keep their precision.

    Raises:
        OutputError: If the folder cannot be written.
    """
    options, texts = travelling(options, backbone)
    weights = {key: tensor.contiguous().cpu() for key, tensor in backbone.state_dict().items()}
    write_folder(Path(folder), {"kind": KIND, "backbone": name, "options": options}, weights, texts)


def load_backbone(where: Path | str) -> Pretrained:
    """Reads what ``save_backbone`` wrote, from a folder or the hub; weights become float32.

    Raises:
        CheckpointError: If a file is missing, cut short, or does not fit.
    """
    folder = find_folder(where)
    written, weights = read_folder(folder, kind=KIND)
    try:
        name, options = str(written["backbone"]), arrived(written["options"], folder)
    except (AttributeError, KeyError, TypeError) as error:
        raise CheckpointError(folder, f"config.json has no {error}.") from error
    floats = {
        key: tensor.to(torch.float32) if tensor.is_floating_point() else tensor
        for key, tensor in weights.items()
    }
    return Pretrained(name=name, options=options, weights=floats, source=str(folder / WEIGHTS))


def is_backbone(where: Path | str) -> bool:
    """Says whether a folder on this machine holds a backbone.

    Raises:
        CheckpointError: If it is a folder, and no checkpoint's.
    """
    return Path(where).is_dir() and read_config(Path(where)).get("kind") == KIND


def travelling(
    options: dict[str, Any], backbone: nn.Module
) -> tuple[dict[str, Any], dict[str, str]]:
    """Says how a backbone's options stand in a checkpoint, and which files go with it."""
    vocabulary = getattr(backbone, "vocabulary", None)
    if not isinstance(vocabulary, Pieces):
        return options, {}
    return {**options, "tokenizer": VOCABULARY}, {VOCABULARY: vocabulary.source}


def arrived(options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Undoes ``travelling``: the vocabulary is the file in the checkpoint's folder."""
    found = {key: tuple(v) if isinstance(v, list) else v for key, v in options.items()}
    if options.get("tokenizer"):
        found["tokenizer"] = str(folder.resolve() / str(options["tokenizer"]))
    return found
