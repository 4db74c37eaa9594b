"""Contact sheets: many pictures in one JPEG, so that a page can show any of them exactly."""

from base64 import b64encode
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_COLUMNS, _ROWS = 8, 8
_WIDEST_PX = 320
_QUALITY = 90


def sheets(images: NDArray[np.uint8]) -> dict[str, Any]:
    """Packs the pictures of an episode and camera.

    Args:
        images: RGB, shape (T, H, W, 3).

    Returns:
        Plain facts: ``width`` and ``height`` of a picture [px], ``columns`` and ``count`` of
        pictures on a sheet, and ``sheets``, JPEG as data URLs.
    """
    shrunk = [_shrunk(image) for image in images]
    height, width = shrunk[0].shape[:2]
    count = _COLUMNS * _ROWS
    return {
        "width": width,
        "height": height,
        "columns": _COLUMNS,
        "count": count,
        "sheets": [_sheet(shrunk[start : start + count]) for start in range(0, len(shrunk), count)],
    }


def _shrunk(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    if width <= _WIDEST_PX:
        return image
    size = (_WIDEST_PX, round(height * _WIDEST_PX / width))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def _sheet(images: list[NDArray[np.uint8]]) -> str:
    height, width = images[0].shape[:2]
    rows = -(-len(images) // _COLUMNS)
    canvas = np.zeros((rows * height, _COLUMNS * width, 3), np.uint8)
    for place, image in enumerate(images):
        row, column = divmod(place, _COLUMNS)
        canvas[row * height : (row + 1) * height, column * width : (column + 1) * width] = image
    packed = BytesIO()
    Image.fromarray(canvas).save(packed, format="jpeg", quality=_QUALITY, subsampling=0)
    return "data:image/jpeg;base64," + b64encode(packed.getvalue()).decode()
