"""What a run begins from, as digests: places may move, and what lies in them may change."""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.policies.tinyvla.vocabulary import Pieces, read_vocabulary
from tinyvla_gym.training.frames import Frames

_PLACE = "tokenizer"


def origin(
    frames: Frames, model: TinyVLAConfig, start: TinyVLAPolicy | None, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Says what a run begins from: its data, its start's weights, its vocabulary.

    Args:
        frames: The data.
        model: What is trained.
        start: The policy that it goes on from, if there is one.
        facts: What is known already, ``data`` and ``start_weights``; it is not computed again.

    Raises:
        CheckpointError: If the vocabulary's file is missing or damaged.
    """
    weights = facts.get("start_weights")
    if weights is None and start is not None:
        weights = tensors_digest(start.model.state_dict())
    return {
        "data": facts.get("data", {"fingerprint": frames.fingerprint}),
        "start_weights": weights,
        "vocabulary": vocabulary_digest(model),
    }


def tensors_digest(weights: Mapping[str, Tensor]) -> str:
    """A digest of weights, and of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        plain = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(name.encode() + plain.numpy().tobytes())
    return digest.hexdigest()


def vocabulary_digest(model: TinyVLAConfig) -> str | None:
    """A digest of the vocabulary's file; None for a model that names none.

    Raises:
        CheckpointError: If the file is missing or damaged.
    """
    found = read_vocabulary(str(model.backbone_options.get(_PLACE) or ""))
    return hashlib.sha256(found.source.encode()).hexdigest() if isinstance(found, Pieces) else None


def placeless(model: Mapping[str, Any]) -> dict[str, Any]:
    """A model's config as plain facts, without where its vocabulary lies."""
    options = {key: o for key, o in model.get("backbone_options", {}).items() if key != _PLACE}
    return {**model, "backbone_options": options}
