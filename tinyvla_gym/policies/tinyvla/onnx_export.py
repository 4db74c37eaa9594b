"""From a TinyVLA to one ONNX graph: text, eyes, and every step of the sampling inside.

The graph stands in the checkpoint's folder and takes its weights from ``model.safetensors``, so
that a folder with both forms is hardly larger than one with one.
"""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tinyvla_gym.errors import ConfigError, MissingExtraError
from tinyvla_gym.policies.checkpoint import GRAPH, place_folder
from tinyvla_gym.policies.onnx.policy import KIND, READING
from tinyvla_gym.policies.tinyvla import saving
from tinyvla_gym.policies.tinyvla.heads.diffusion import DiffusionHead
from tinyvla_gym.policies.tinyvla.model import Inputs, TinyVLA
from tinyvla_gym.policies.tinyvla.onednn import convolutions_as_products
from tinyvla_gym.policies.tinyvla.onnx_weights import point_to_weights
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.policies.tinyvla.pretrained import travelling

OPSET = 18
HELD = f"{GRAPH}.data"
"""Where a graph's weights lie while it is made."""
BACKBONES = ("film_resnet", "llava_pythia", "nano")
"""Backbones whose words are told apart without torch."""


def export_onnx(policy: TinyVLAPolicy, folder: Path, *, half: bool = False, card: str = "") -> None:
    """Writes a checkpoint with a graph in it, which is read with torch and without.

    Args:
        policy: What to export; on the CPU.
        folder: Where to; created, or replaced if it holds a checkpoint.
        half: Store the weights as float16, half the size; plans are computed in float32.
        card: The folder's README.

    Raises:
        ConfigError: If the policy's backbone or scheduler cannot be exported.
        MissingExtraError: If the exporter is not installed.
        OutputError: If the folder cannot be written.
    """
    _check(policy)

    def finish(fresh: Path) -> None:
        stored = TinyVLAPolicy.from_pretrained(fresh)  # what was rounded is what is exported
        _save(_trace(stored), fresh)
        point_to_weights(fresh)
        (fresh / HELD).unlink(missing_ok=True)

    saving.save(policy, folder, half=half, words=card, finish=finish)


def export_int8(policy: TinyVLAPolicy, folder: Path) -> None:
    """Writes a graph with its own weights, those of the linear layers rounded to 8 bits.

    Convolutions stay as they are, save those of LLaVA-Pythia's U-Net, whose weights are more than
    can be read quickly. Arguments and errors are those of ``export_onnx``.
    """
    _check(policy)
    options, texts = travelling(policy.config.backbone_options, policy.model.backbone)
    config = {
        "kind": KIND,
        "model": replace(policy.config, backbone_options=options).to_dict(),
        "spec": policy.spec.to_dict(),
        "normalizer": policy.normalizer.to_dict(),
        "facts": {**policy.facts, "int8": True},
    }

    def fill(fresh: Path) -> None:
        for name, words in texts.items():
            (fresh / name).write_text(words, encoding="utf-8")
        large = policy.config.backbone == "llava_pythia"
        with convolutions_as_products(policy.model) if large else nullcontext():
            _save(_trace(policy), fresh)
        round_weights(fresh / GRAPH)
        (fresh / HELD).unlink(missing_ok=True)

    place_folder(folder, config, fill)


class WholePlan(nn.Module):
    """Everything that a plan takes, as one function of arrays."""

    def __init__(self, model: TinyVLA) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: list[Tensor], words: Tensor, state: Tensor, noise: Tensor) -> Tensor:
        """Maps what ``OnnxPolicy`` feeds to normalised chunks, (N, K, A)."""
        condition = self.model.encode(Inputs(images=images, words=words, state=state))
        return self.model.sample(condition, noise)


def _check(policy: TinyVLAPolicy) -> None:
    backbone: Any = policy.model.backbone
    if policy.config.backbone not in BACKBONES:
        raise ConfigError(
            f"The backbone {policy.config.backbone} cannot be exported; "
            f"those that can are {', '.join(BACKBONES)}."
        )
    if hasattr(backbone, "pictures") and backbone.pictures.path == "plain":
        side = backbone.pictures.side
        if any((c.height, c.width) != (side, side) for c in policy.spec.interface.cameras):
            raise ConfigError(
                f"A graph with the plain picture path takes pictures of {side} x {side} px only."
            )
    head = policy.model.head
    if isinstance(head, DiffusionHead) and type(head.schedule).__name__ != "DDIMScheduler":
        raise ConfigError(
            f"A graph can only sample by DDIMScheduler, not {type(head.schedule).__name__}."
        )


def _trace(policy: TinyVLAPolicy) -> Any:
    """The plan of a policy as torch's exporter sees it."""
    interface, config = policy.spec.interface, policy.config
    observation = {
        **{
            f"image_{camera.name}": np.zeros((camera.height, camera.width, 3), np.uint8)
            for camera in interface.cameras
        },
        "state": np.zeros(len(interface.state), np.float32),
        "instruction": "do it",
    }
    inputs = policy.inputs([observation] * 3)
    noise = torch.zeros(3, config.horizon, len(interface.action))
    rows = {0: torch.export.Dim("rows", min=1, max=4096)}
    images = [image for image in inputs.images if isinstance(image, Tensor)]
    words, facts = rows, _reading(policy)
    if facts is not None:
        shortest = policy.model.tokenize([""]).shape[1]
        words = {**rows, 1: torch.export.Dim("pieces", min=shortest, max=facts["longest"])}
        side = facts["pictures"]["side"] if facts["pictures"] else None
        images = [
            image[:, :1, :1].expand(-1, side, side, -1) if side else image for image in images
        ]
    cameras = [f"image_{camera.name}" for camera in interface.cameras]
    with warnings.catch_warnings(), errors_only("torch.onnx"):
        warnings.simplefilter("ignore")  # the exporter's own affairs
        try:
            graph = torch.onnx.export(
                WholePlan(policy.model).eval(),
                (images, inputs.words, inputs.state, noise),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=[*cameras, "words", "state", "noise"],
                output_names=["chunk"],
                dynamic_shapes=([rows] * len(cameras), words, rows, rows),
            )
        except ImportError as error:
            raise MissingExtraError("Exporting to ONNX", "tinyvla") from error
    assert graph is not None
    if facts is not None:
        graph.model.metadata_props[READING] = json.dumps(facts)
    return graph


def _reading(policy: TinyVLAPolicy) -> dict[str, Any] | None:
    """What the graph will say of its words and pictures; None for those of ``nano``'s kind."""
    backbone: Any = policy.model.backbone
    return backbone.reading() if hasattr(backbone, "reading") else None


def _save(graph: Any, folder: Path) -> None:
    """Writes a graph, its weights in a file of their own: one file holds no more than 2 GB."""
    graph.save(str(folder / GRAPH), include_initializers=True, external_data=True)


def round_weights(path: Path) -> None:
    """Rounds the linear layers of a graph to 8 bits, in place; their inputs while it runs.

    Weights take 7 of the bits: processors without VNNI add two products in 16 bits, which those of
    8-bit weights overflow, and plans come out ten times as wrong.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = path.with_suffix(".whole")
    path.rename(whole)
    try:
        with errors_only():
            quantize_dynamic(
                whole,
                path,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=["MatMul", "Gemm"],
                reduce_range=True,
                extra_options={"DefaultTensorType": 1},
            )
    finally:
        whole.unlink()


@contextmanager
def errors_only(logger: str | None = None) -> Iterator[None]:
    """Lets a logger, the root if None, report nothing below an error for a while."""
    found = logging.getLogger(logger)
    level = found.level
    found.setLevel(logging.ERROR)
    try:
        yield
    finally:
        found.setLevel(level)
