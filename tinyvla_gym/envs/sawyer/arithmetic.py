"""Stand-ins for what MetaWorld's tasks call most, equal to the last bit for single numbers."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
from metaworld.utils import reward_utils
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

_FLOAT64 = np.dtype(np.float64)
_LONG_TAIL = float(np.sqrt(1.0 / 0.1 - 1.0))  # both sigmoids are 0.1 at the margin
_GAUSSIAN = float(np.sqrt(-2.0 * np.log(0.1)))


def norm(x: Any, ord: Any = None, **more: Any) -> Any:
    """``numpy.linalg.norm``, quick for a vector or a number."""
    if not more and (ord is None or ord == 2):
        if type(x) is np.float64:
            return np.float64(math.sqrt(x * x))
        if type(x) is np.ndarray and x.ndim == 1 and x.dtype is _FLOAT64:
            return np.float64(math.sqrt(x.dot(x)))
    return np.linalg.norm(x, ord, **more)


def tolerance(
    x: Any,
    bounds: tuple[float, float] = (0.0, 0.0),
    margin: Any = 0.0,
    sigmoid: Any = "gaussian",
    **more: Any,
) -> Any:
    """``metaworld.utils.reward_utils.tolerance``, quick for a number: 1 within the bounds."""
    lower, upper = bounds
    if not (more or margin < 0 or lower > upper) and isinstance(x, float):
        if lower <= x <= upper:
            return 1.0
        if margin == 0:
            return 0.0
        away = float(lower - x if x < lower else x - upper) / float(margin)
        if sigmoid == "long_tail":
            return 1.0 / ((away * _LONG_TAIL) ** 2 + 1.0)
        if sigmoid == "gaussian":
            return float(np.exp(-0.5 * (away * _GAUSSIAN) ** 2))
    return reward_utils.tolerance(x, bounds, margin, sigmoid, **more)


class MatrixRotation:
    """``scipy.spatial.transform.Rotation``, as far as from a matrix to a quaternion."""

    def __init__(self, quat: NDArray[np.float64]) -> None:
        self._quat = quat

    @classmethod
    def from_matrix(cls, matrix: NDArray[np.float64]) -> "MatrixRotation":
        """Takes an orthogonal matrix, shape (3, 3), as MuJoCo's are.

        The branches are those of Markley, "Unit quaternion from rotation matrix", 2008.
        """
        (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
        trace = a + e + i
        largest = max(a, e, i, trace)
        if a == largest:
            quat = (1 - trace + 2 * a, d + b, g + c, h - f)
        elif e == largest:
            quat = (d + b, 1 - trace + 2 * e, h + f, c - g)
        elif i == largest:
            quat = (g + c, h + f, 1 - trace + 2 * i, d - b)
        else:
            quat = (h - f, c - g, d - b, 1 + trace)
        x, y, z, w = quat
        length = math.sqrt(x * x + y * y + z * z + w * w)
        return cls(np.array((x / length, y / length, z / length, w / length)))

    def as_quat(self) -> NDArray[np.float64]:
        """Returns x, y, z, w."""
        return self._quat


_LINALG = SimpleNamespace(**{**vars(np.linalg), "norm": norm})
_NUMPY = SimpleNamespace(**{**vars(np), "linalg": _LINALG, "abs": abs})
_REWARDS = SimpleNamespace(**{**vars(reward_utils), "tolerance": tolerance})

STAND_INS = {
    id(slow): fast
    for slow, fast in (
        (np, _NUMPY),
        (reward_utils, _REWARDS),
        (reward_utils.tolerance, tolerance),
        (Rotation, MatrixRotation),
    )
}
"""What replaces which object among the global names of a task's module, by identity."""
