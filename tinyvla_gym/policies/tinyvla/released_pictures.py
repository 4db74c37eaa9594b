"""How TinyVLA's authors prepare pictures when they evaluate; numpy and Pillow only.

The released code enlarges with torch, whose last bits decide about whole regions of one colour,
since the result is truncated. So its arithmetic is done here step by step: products are added up
without rounding between, as torch does on processors since 2013.

Shapes: B batch, H and W picture size, S side of what the tower reads [px].
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]


def prepared(
    images: NDArray[np.uint8], *, side: int, crop_frac: float, mean: Sequence[float]
) -> NDArray[np.uint8]:
    """Crops, squares and resizes.

    Args:
        images: Shape (B, H, W, 3).
        side: S.
        crop_frac: Share of height and width that is kept.
        mean: Colour of the bars that make a square.

    Returns:
        Shape (B, S, S, 3).
    """
    return np.stack([_prepared(image, side, crop_frac, mean) for image in images])


def _prepared(
    image: NDArray[np.uint8], side: int, crop_frac: float, mean: Sequence[float]
) -> NDArray[np.uint8]:
    unit = image.astype(np.float32) / np.float32(255)
    square = _square(middle(unit, crop_frac), mean)
    levels = (square * np.float32(255)).astype(np.uint8)  # truncated, as in the released code
    return np.asarray(Image.fromarray(levels).resize((side, side), Image.Resampling.BICUBIC))


def middle(unit: Floats, crop_frac: float) -> Floats:
    """Cuts the middle out and brings it back to its old size, (H, W, 3)."""
    if crop_frac == 1:
        return unit
    height, width = unit.shape[:2]
    rows, columns = (
        slice(int(size * (1 - crop_frac) / 2), int(size * (1 + crop_frac) / 2))
        for size in (height, width)
    )
    cut = unit[rows, columns]
    wide = enlarged(cut.swapaxes(0, 1), width).swapaxes(0, 1)
    return enlarged(wide, height)


def enlarged(rows: Floats, size: int) -> Floats:
    """Stretches the first axis to ``size`` by linear interpolation, in torch's arithmetic."""
    count = len(rows)
    scale = np.float32(count / size)
    centre = scale * (np.arange(size, dtype=np.float32) + np.float32(0.5))
    first = np.maximum((centre - np.float32(0.5)).astype(np.int64), 0)
    last = np.minimum((centre + np.float32(1.5)).astype(np.int64), count) - 1
    places = first[:, None] + np.arange(3)  # at most three are nearer than 1
    distance = np.abs(places.astype(np.float32) - centre[:, None] + np.float32(0.5))
    weights = np.where(places <= last[:, None], np.maximum(1 - distance, 0), 0)
    weights = weights.astype(np.float32)
    weights /= weights.sum(1, dtype=np.float32, keepdims=True)
    places = np.minimum(places, count - 1)
    shape = (-1, *(1,) * (rows.ndim - 1))
    total = rows[places[:, 0]] * weights[:, 0].reshape(shape)
    for tap in (1, 2):  # in double, a product is exact and added without rounding
        product = rows[places[:, tap]].astype(np.float64) * weights[:, tap].reshape(shape)
        total = (total + product).astype(np.float32)
    return total


def _square(unit: Floats, colour: Sequence[float]) -> Floats:
    """Puts a picture (H, W, 3) into the middle of a square of one colour."""
    height, width = unit.shape[:2]
    side = max(height, width)
    square = np.tile(np.array(colour, np.float32), (side, side, 1))
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = unit
    return square
