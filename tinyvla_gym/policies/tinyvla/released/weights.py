"""Weight files as others write them: whole, in shards, or as torch's own ``.bin``.

Nothing is unpickled but tensors, and a file that is cut short is named.
"""

import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tinyvla_gym.errors import CheckpointError
from tinyvla_gym.policies.checkpoint import AGAIN

INDEX = ".index.json"


def read_weights(folder: Path, *stems: str) -> dict[str, Tensor]:
    """Reads the weights of a folder, whichever form they have.

    Args:
        folder: Where they lie.
        *stems: Names without ending, in order of preference: ``model`` finds
            ``model.safetensors``, ``model.safetensors.index.json`` with its shards, and
            ``model.bin``. A folder ``model.bin`` stands for ``pytorch_model.bin`` in it.

    Raises:
        CheckpointError: If there are none, or a file is missing, cut short, or holds anything
            but tensors.
    """
    path = weights_file(folder, *stems)
    if path is not None:
        return _read_shards(path) if path.name.endswith(INDEX) else read_file(path)
    names = ", ".join(f"{stem}.safetensors or .bin" for stem in stems)
    raise CheckpointError(folder, f"it has no {names}; {AGAIN}")


def weights_file(folder: Path, *stems: str) -> Path | None:
    """Finds the file or the index that ``read_weights`` reads."""
    for stem in stems:
        for ending in ("safetensors", "bin"):
            path = folder / f"{stem}.{ending}"
            index = folder / f"{path.name}{INDEX}"
            if path.is_dir():
                path = path / "pytorch_model.bin"
            if path.is_file():
                return path
            if index.is_file():
                return index
    return None


def read_file(path: Path) -> dict[str, Tensor]:
    """Reads one file of tensors by name.

    Raises:
        CheckpointError: If it is missing, cut short, or holds anything but tensors.
    """
    if not path.is_file():
        raise CheckpointError(path.parent, f"it has no {path.name}; {AGAIN}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles of other kinds, which are refused
            held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            path.parent,
            f"{path.name} holds more than tensors and numbers, or is damaged, and is not opened: "
            f"{first_line(error)}\nSave it again with nothing else in it.",
        ) from error
    except (SafetensorError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise CheckpointError(
            path.parent, f"{path.name} is damaged or cut short, {AGAIN} ({first_line(error)})"
        ) from error
    return _only_tensors(path, held)


def _only_tensors(path: Path, held: Any) -> dict[str, Tensor]:
    strangers = (
        [name for name, value in held.items() if not isinstance(value, Tensor)]
        if isinstance(held, dict)
        else [type(held).__name__]
    )
    if strangers:
        raise CheckpointError(
            path.parent, f"{path.name} holds other things than tensors: {strangers[0]}."
        )
    return held


def _read_shards(index: Path) -> dict[str, Tensor]:
    try:
        where: dict[str, str] = json.loads(index.read_text())["weight_map"]
        shards = sorted(set(where.values()))
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise CheckpointError(
            index.parent, f"{index.name} is damaged, {AGAIN} ({first_line(error)})"
        ) from error
    weights: dict[str, Tensor] = {}
    for shard in shards:
        held = read_file(index.parent / shard)
        lacking = sorted(name for name, its in where.items() if its == shard and name not in held)
        if lacking:
            raise CheckpointError(
                index.parent, f"{shard} lacks {lacking[0]}, which {index.name} promises; {AGAIN}"
            )
        weights |= held
    return weights


def first_line(error: Exception) -> str:
    """What an error of another library says, in one line."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
