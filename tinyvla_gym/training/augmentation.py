"""Pictures that look a little different each time they are shown.

Shapes: B batch, H and W picture size.
"""

import numpy as np
from numpy.typing import NDArray


def augment(
    pictures: NDArray[np.uint8],
    rng: np.random.Generator,
    shift_px: int,
    jitter: float,
    *,
    part: int = 0,
    parts: int = 1,
) -> NDArray[np.uint8]:
    """Shifts each picture, and changes its brightness and contrast a little.

    Args:
        pictures: Shape (B, H, W, 3).
        rng: Draws.
        shift_px: Largest shift along each axis; edges are repeated [px].
        jitter: Largest relative change of brightness and of contrast.
        part: Which of a batch's equal parts the pictures are, in order, from 0.
        parts: How many; it is drawn for all of them.
    """
    count, height, width, _ = pictures.shape
    whole, own = (2, count * parts), np.s_[:, part * count : (part + 1) * count]
    if shift_px:
        border = (shift_px, shift_px)
        wide = np.pad(pictures, ((0, 0), border, border, (0, 0)), mode="edge")
        down, right = rng.integers(0, 2 * shift_px + 1, whole)[own]
        pictures = np.stack(
            [
                picture[d : d + height, r : r + width]
                for picture, d, r in zip(wide, down, right, strict=True)
            ]
        )
    if jitter:
        gain, contrast = rng.uniform(1 - jitter, 1 + jitter, whole)[own].astype(np.float32)
        # One look-up table per picture: what every grey level becomes.
        levels = np.arange(256, dtype=np.float32) * gain[:, None]  # (B, 256)
        levels = (levels - 128) * contrast[:, None] + 128
        tables = np.clip(levels, 0, 255).astype(np.uint8)
        pictures = np.stack(
            [table[picture] for table, picture in zip(tables, pictures, strict=True)]
        )
    return pictures
