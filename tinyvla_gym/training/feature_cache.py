"""What frozen eyes make of a dataset's pictures: computed once, kept on the disk, mapped.

Below the kept features nothing may learn and nothing may change: where it would, the cache is
refused, because features that are no longer true would be learnt from without a word.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import nullcontext
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tinyvla_gym.data.arrays import Layout, let_go, open_arrays, taken
from tinyvla_gym.data.places import default_cache_root
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.backbone import Perceiving
from tinyvla_gym.policies.tinyvla.model import TinyVLA
from tinyvla_gym.training.config import TrainConfig
from tinyvla_gym.training.frames import Features, Frames

AT_ONCE = 32
"""Pictures that are looked at together."""


def open_features(
    frames: Frames,
    cameras: list[str],
    model: TinyVLA,
    config: TrainConfig,
    device: torch.device,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Features:
    """Maps what a model's eyes make of every frame, and looks at them all if nobody has yet.

    Args:
        frames: The data.
        cameras: Which cameras.
        model: With its adapters, fresh ones; on the CPU, and there again afterwards.
        config: Whose ``half`` counts, and the backbone's options.
        device: Where to look.
        progress: Told (done, total) pictures.

    Raises:
        ConfigError: If the backbone cannot look without having read, or its eyes learn.
        OutputError: If the features cannot be written, or do not fit on the disk.
    """
    backbone = _perceiving(model)
    looker = _Looker(frames, cameras, backbone, device, half=config.half)
    mode = model.training
    model.eval()
    backbone.perceiver.to(device)
    layouts = looker.layouts()
    key = _key(frames, cameras, backbone.perceiver, config)
    folder = default_cache_root() / f"features-{key[:16]}"
    arrays = open_arrays(folder, key, layouts, lambda fresh: looker.fill(fresh, progress))
    backbone.perceiver.cpu()
    model.train(mode)
    return {
        camera: tuple(arrays[name] for name in layouts if name.rpartition(".")[0] == camera)
        for camera in cameras
    }


class _Looker:
    """Looks at a dataset's pictures through frozen eyes; arrays are named ``<camera>.<place>``."""

    def __init__(
        self,
        frames: Frames,
        cameras: list[str],
        backbone: Perceiving,
        device: torch.device,
        *,
        half: bool,
    ) -> None:
        self._frames = frames
        self._cameras = cameras
        self._backbone = backbone
        self._device = device
        self._half = half
        self._count = len(frames.state)

    def layouts(self) -> dict[str, Layout]:
        """How large the features of all frames are; one picture of each camera tells."""
        return {
            f"{camera}.{place}": Layout(np.dtype(np.float32), (self._count, *seen.shape[1:]))
            for camera in self._cameras
            for place, seen in enumerate(self._look(camera, slice(0, 1)))
        }

    def fill(self, arrays: dict[str, NDArray], progress: Callable[[int, int], None]) -> None:
        """Looks at everything."""
        for turn, camera in enumerate(self._cameras):
            for start in range(0, self._count, AT_ONCE):
                rows = slice(start, min(start + AT_ONCE, self._count))
                for place, seen in enumerate(self._look(camera, rows)):
                    array = arrays[f"{camera}.{place}"]
                    array[rows] = seen
                    let_go(array)
                progress(turn * self._count + rows.stop, len(self._cameras) * self._count)

    @torch.no_grad()
    def _look(self, camera: str, rows: slice) -> tuple[NDArray[np.float32], ...]:
        pictures = torch.from_numpy(taken(self._frames.images[camera], rows))
        kind = self._device.type
        with torch.autocast(kind, torch.bfloat16) if self._half else nullcontext():
            found = self._backbone.perceive(pictures.to(self._device))
        return tuple(seen.float().cpu().numpy() for seen in found)


def _perceiving(model: TinyVLA) -> Perceiving:
    if not hasattr(model.backbone, "perceive"):  # an adapted one passes the question on
        raise ConfigError(
            "cache_features=True: this backbone reads the sentence while it looks, or learns as a "
            "whole, so that nothing can be kept. Train without it."
        )
    backbone = cast(Perceiving, model.backbone)
    learning = [name for name, w in backbone.perceiver.named_parameters() if w.requires_grad]
    if learning:
        raise ConfigError(
            f"cache_features=True: the backbone's eyes learn ({learning[0]} and "
            f"{len(learning) - 1} more), and what they see changes with every step. Freeze them "
            "(lora_rank and freeze_adapters), or train without it."
        )
    return backbone


def _key(frames: Frames, cameras: list[str], perceiver: nn.Module, config: TrainConfig) -> str:
    """A digest of all that the features depend on."""
    options = {name: o for name, o in config.model.backbone_options.items() if name != "tokenizer"}
    said = [frames.fingerprint, cameras, config.model.backbone, options, config.half]
    digest = hashlib.sha256(json.dumps(said).encode())
    for name, tensor in sorted(perceiver.state_dict().items()):
        if "lora_" not in name:  # fresh and frozen, so that they change nothing
            digest.update(name.replace(".base_layer", "").encode() + _bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().float().cpu().contiguous().numpy().tobytes()
