"""Boards that a camera is calibrated with, and their corners in a picture, through OpenCV."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError, MissingExtraError

BoardKind = Literal["charuco", "chessboard"]
_LEAST_CORNERS = 6


def opencv() -> Any:
    """OpenCV's module.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("Camera calibration", "cameras") from error
    return cv2


@dataclass(frozen=True, kw_only=True)
class Board:
    """A flat board of squares; its frame has the origin at a corner, x and y along its edges.

    Attributes:
        kind: A charuco may be seen in part, a chessboard must be seen whole.
        columns: Squares along x.
        rows: Squares along y.
        square_m: Edge of a square [m].
        marker_m: Edge of a marker in it [m]; charuco only.
        dictionary: OpenCV's name of the markers' dictionary; charuco only.
    """

    kind: BoardKind = "charuco"
    columns: int = 7
    rows: int = 5
    square_m: float = 0.03
    marker_m: float = 0.022
    dictionary: str = "DICT_5X5_100"

    def __post_init__(self) -> None:
        if self.columns < 3 or self.rows < 3 or not 0 < self.marker_m < self.square_m:
            raise ConfigError(
                "A board has 3 squares or more each way, and markers smaller than its squares; got "
                f"{self.columns} x {self.rows} squares of {self.square_m} m with {self.marker_m} m."
            )
        if self.kind == "chessboard" and (self.columns + self.rows) % 2 == 0:
            raise ConfigError(
                f"A chessboard of {self.columns} x {self.rows} squares looks the same upside down; "
                "one number must be odd and the other even."
            )

    def draw(self, px_per_square: int) -> NDArray[np.uint8]:
        """The board as a picture without a margin, to be printed, shape (H, W)."""
        size = (self.columns * px_per_square, self.rows * px_per_square)
        if self.kind == "charuco":
            return self._charuco.generateImage(size)
        x, y = np.arange(self.columns) % 2, np.arange(self.rows) % 2
        cells = np.where((x[None, :] + y[:, None]) % 2, 255, 0).astype(np.uint8)
        return np.kron(cells, np.ones((px_per_square, px_per_square), np.uint8))

    def find(
        self, picture: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Finds the board's inner corners.

        Args:
            picture: RGB, shape (H, W, 3).

        Returns:
            Corners on the board [m], shape (N, 3), and in the picture [px], shape (N, 2); None
            if too few are seen.
        """
        cv2 = opencv()
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        if self.kind == "charuco":
            corners, numbers, _, _ = cv2.aruco.CharucoDetector(self._charuco).detectBoard(grey)
            if numbers is None or len(numbers) < _LEAST_CORNERS:
                return None
            places = self._charuco.getChessboardCorners()[numbers.reshape(-1)]
        else:
            inner = (self.columns - 1, self.rows - 1)
            found, corners = cv2.findChessboardCornersSB(grey, inner)
            if not found:
                return None
            x, y = np.meshgrid(np.arange(1, self.columns), np.arange(1, self.rows))
            places = self.square_m * np.column_stack([x.ravel(), y.ravel(), 0 * x.ravel()])
        return places.astype(np.float64), corners.reshape(-1, 2).astype(np.float64)

    @cached_property
    def _charuco(self) -> Any:
        cv2 = opencv()
        number = getattr(cv2.aruco, self.dictionary, None)
        if number is None:
            raise ConfigError(f"OpenCV knows no dictionary of markers {self.dictionary!r}.")
        markers = cv2.aruco.getPredefinedDictionary(number)
        size = (self.columns, self.rows)
        return cv2.aruco.CharucoBoard(size, self.square_m, self.marker_m, markers)
