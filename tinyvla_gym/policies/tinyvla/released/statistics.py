"""``dataset_stats.pkl``: the released runs' statistics, through a reader that runs no code.

A pickle may call any function; this reader knows the few that make arrays, tensors and numbers,
and refuses the rest.
"""

import codecs
import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch._utils import _rebuild_tensor_v2

from tinyvla_gym.errors import CheckpointError
from tinyvla_gym.interface import Interface
from tinyvla_gym.policies.normalize import Normalizer


def _array(kind: type, shape: tuple[int, ...], code: bytes) -> NDArray[Any]:
    if kind is not np.ndarray:
        raise pickle.UnpicklingError(f"{kind} is no array")
    return np.ndarray.__new__(np.ndarray, shape, np.dtype(code.decode("ascii")))


def _scalar(kind: np.dtype[Any], data: bytes) -> Any:
    return np.frombuffer(data, kind, 1)[0]


def _latin(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"{encoding} is not how arrays are written")
    return codecs.encode(text, "latin1")


def _storage(data: bytes) -> Any:
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


_NUMPY = ("numpy.core", "numpy._core")
ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    **{(f"{core}.multiarray", "_reconstruct"): _array for core in _NUMPY},
    **{(f"{core}.multiarray", "scalar"): _scalar for core in _NUMPY},
    ("_codecs", "encode"): _latin,
    ("collections", "OrderedDict"): OrderedDict,
    ("torch.storage", "_load_from_bytes"): _storage,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor_v2,
}


class _Reader(pickle.Unpickler):
    """Looks names up in ``ALLOWED`` and nowhere else."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it wants {module_name}.{global_name}")
        return ALLOWED[module_name, global_name]


def read_statistics(path: Path) -> dict[str, NDArray[np.float64]]:
    """Reads a pickled dictionary of arrays, tensors and numbers.

    Raises:
        CheckpointError: If the file is missing, cut short, or holds anything else.
    """
    if not path.is_file():
        raise CheckpointError(
            path.parent, f"it has no {path.name}; without statistics no policy can act."
        )
    try:
        held = _Reader(io.BytesIO(path.read_bytes())).load()
        if not isinstance(held, dict):
            raise TypeError(f"a dictionary is wanted, it holds a {type(held).__name__}")
        return {str(name): _numbers(str(name), value) for name, value in held.items()}
    except Exception as error:  # damaged pickles raise whatever they like
        raise CheckpointError(
            path.parent,
            f"{path.name} holds more than tensors and numbers, or is damaged, "
            f"and is not opened: {error}\nSave it again with nothing else in it.",
        ) from error


def _numbers(name: str, value: Any) -> NDArray[np.float64]:
    array = np.asarray(value.numpy() if isinstance(value, torch.Tensor) else value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} is not made of numbers")
    return array.astype(np.float64)


def released_normalizer(path: Path, interface: Interface) -> Normalizer:
    """Reads the statistics of a diffusion run as a normaliser: actions by their range.

    Args:
        path: ``dataset_stats.pkl``.
        interface: What the policy will see and do.

    Raises:
        CheckpointError: If a statistic is missing, or they are another body's.
    """
    held = read_statistics(path)
    wanted = {
        "qpos_mean": interface.state,
        "qpos_std": interface.state,
        "action_min": interface.action,
        "action_max": interface.action,
    }
    lacking = [name for name in wanted if name not in held]
    if lacking:
        raise CheckpointError(path.parent, f"{path.name} has no {', '.join(lacking)}.")
    for name, entries in wanted.items():
        if held[name].shape != (len(entries),):
            raise CheckpointError(
                path.parent,
                f"{path.name} is of another body: its {name} has shape {held[name].shape}, the "
                f"interface has {len(entries)} entries: {', '.join(entries)}. "
                "Name the interface that the data had.",
            )
    columns = [held[name].astype(np.float32) for name in wanted]
    return Normalizer(
        state_names=interface.state,
        state_mean=columns[0],
        state_std=columns[1],
        action_names=interface.action,
        action_low=columns[2],
        action_high=columns[3],
    )
