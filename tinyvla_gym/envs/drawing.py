"""Pictures of coloured balls in a unit cube, drawn with numpy alone."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class DrawingProfile:
    """How the balls are drawn. A released profile never changes: policies are trained under it.

    Attributes:
        name: Name and version, ``kinematic-1``.
        floor: Background seen from the top, RGB.
        wall: Background seen from the front, RGB.
        hand: Colour of the two fingers, RGB.
        red: Colour of the red target, RGB.
        blue: Colour of the blue target, RGB.
        finger_radius_m: Radius of each finger [m].
        target_radius_m: Radius of each target [m].
    """

    name: str
    floor: Colour
    wall: Colour
    hand: Colour
    red: Colour
    blue: Colour
    finger_radius_m: float
    target_radius_m: float

    @cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits that change with every setting."""
        settings = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(settings.encode()).hexdigest()[:12]


@dataclass(frozen=True, kw_only=True)
class View:
    """A camera without perspective, which shows the whole cube.

    Attributes:
        up: The axis that runs up in the picture; x always runs to the right.
        depth: The axis along which the camera looks.
        towards: +1 if the camera looks from the far end of that axis, -1 if from its start.
    """

    up: int
    depth: int
    towards: int


VIEWS = {"top": View(up=1, depth=2, towards=1), "front": View(up=2, depth=1, towards=-1)}


@dataclass(frozen=True, kw_only=True)
class Ball:
    """One ball: its centre in the unit cube [m], shape (3,), its radius [m] and its colour."""

    centre_m: NDArray[np.float64]
    radius_m: float
    colour: Colour


def draw(
    balls: Iterable[Ball], view: View, background: Colour, height: int, width: int
) -> NDArray[np.uint8]:
    """Draws one picture; soft edges tell where a ball is to a fraction of a pixel.

    Args:
        balls: What to draw; nearer ones hide those behind.
        view: From where.
        background: RGB of what lies behind them all.
        height: Picture height [px].
        width: Picture width [px].

    Returns:
        RGB, a fresh array of shape (H, W, 3).
    """
    across_m = (np.arange(width) + 0.5) / width  # (W,)
    up_m = (1.0 - (np.arange(height) + 0.5) / height)[:, None]  # (H, 1)
    edge_m = 1.0 / min(height, width)  # one pixel
    picture = np.tile(np.asarray(background, np.float64), (height, width, 1))
    for ball in sorted(balls, key=lambda ball: view.towards * ball.centre_m[view.depth]):
        away_m = np.hypot(across_m - ball.centre_m[0], up_m - ball.centre_m[view.up])  # (H, W)
        cover = np.clip((ball.radius_m - away_m) / edge_m + 0.5, 0.0, 1.0)[..., None]
        picture += cover * (np.asarray(ball.colour) - picture)
    return np.round(picture).astype(np.uint8)
