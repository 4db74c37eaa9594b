"""Observations as stable-baselines3 hands them to a model: stacked, and in numbers only."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.interface import INSTRUCTION_LENGTH, Interface, Observation


def instruction_to_bytes(instruction: str) -> NDArray[np.uint8]:
    """Spells a sentence in ASCII codes, zeros at the end, shape (256,)."""
    codes = np.zeros(INSTRUCTION_LENGTH, np.uint8)
    codes[: len(instruction)] = np.frombuffer(instruction.encode("ascii"), np.uint8)
    return codes


def bytes_to_instruction(codes: NDArray[np.uint8]) -> str:
    """Reads what ``instruction_to_bytes`` wrote, shape (256,)."""
    return codes.tobytes().rstrip(b"\0").decode("ascii")


def unbatch(stacked: dict[str, NDArray[Any]], interface: Interface) -> list[Observation]:
    """Turns what stable-baselines3 shows a model back into this package's observations.

    Args:
        stacked: One array per key, first axis N, from envs wrapped in ``InstructionAsBytes``.
            Pictures may be (N, H, W, 3) or, behind ``VecTransposeImage``, (N, 3, H, W).
        interface: What the policy reads.

    Returns:
        N observations with (H, W, 3) pictures and sentences as ``str``.

    Raises:
        ConfigError: If a key is missing or has another shape.
    """
    shapes: dict[str, tuple[int, ...]] = {
        f"image_{camera.name}": (camera.height, camera.width, 3) for camera in interface.cameras
    }
    shapes |= {"state": (len(interface.state),), "instruction": (INSTRUCTION_LENGTH,)}
    columns = {key: _fitted(key, stacked, shape) for key, shape in shapes.items()}
    sentences = [bytes_to_instruction(codes) for codes in columns.pop("instruction")]
    return [
        {**{key: column[i] for key, column in columns.items()}, "instruction": sentence}
        for i, sentence in enumerate(sentences)
    ]


def _fitted(key: str, stacked: dict[str, NDArray[Any]], shape: tuple[int, ...]) -> NDArray[Any]:
    if key not in stacked:
        raise ConfigError(f"The policy reads {key}, but there is only {', '.join(stacked)}.")
    column = stacked[key]
    if column.shape[1:] == shape:
        return column
    if len(shape) == 3 and column.shape[1:] == (shape[2], *shape[:2]):
        return np.moveaxis(column, 1, 3)  # channels came first
    raise ConfigError(
        f"The policy reads {key} of shape (N, {', '.join(map(str, shape))}), got {column.shape}. "
        "Wrap each env in InstructionAsBytes, and stack their observations."
    )
