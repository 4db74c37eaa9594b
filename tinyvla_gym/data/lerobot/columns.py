"""Arrays to parquet columns and back."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tinyvla_gym.data.lerobot.png import decode_png, encode_png


def vector_column(values: NDArray) -> pa.Array:
    """Packs shape (T, D); a single entry becomes a plain number, as LeRobot wants it."""
    flat = pa.array(values.ravel())
    width = values.shape[1]
    return flat if width == 1 else pa.FixedSizeListArray.from_arrays(flat, width)


def picture_column(images: NDArray[np.uint8]) -> pa.Array:
    """Packs shape (T, H, W, 3) as PNG."""
    packed = pa.array([encode_png(image) for image in images], pa.binary())
    names = pa.array([f"frame-{index:06d}.png" for index in range(len(images))])
    return pa.StructArray.from_arrays([packed, names], names=["bytes", "path"])


def numbers(column: pa.ChunkedArray) -> NDArray:
    """Unpacks numbers or vectors, shape (T, D)."""
    rows = len(column)
    flat = column.combine_chunks()
    while _is_list(flat.type):
        flat = flat.flatten()
    return flat.to_numpy(zero_copy_only=False).reshape(rows, -1)


def _is_list(kind: pa.DataType) -> bool:
    tests = (pa.types.is_fixed_size_list, pa.types.is_list, pa.types.is_large_list)
    return any(test(kind) for test in tests)


def pictures(column: pa.ChunkedArray) -> NDArray[np.uint8]:
    """Unpacks pictures, shape (T, H, W, 3).

    Raises:
        OSError: If one is damaged.
        ValueError: If they differ in size.
    """
    return np.stack([decode_png(cell["bytes"]) for cell in column.to_pylist()])
