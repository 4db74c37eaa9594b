"""From camera pictures to what a pretrained vision tower reads.

Training and evaluation call the same functions, so that a policy never sees other pixels than
those it was trained on.

Shapes: B batch, H and W picture size, S side of what the tower reads [px].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from tinyvla_gym.errors import ConfigError

PicturePath = Literal["released", "plain"]

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """How pictures are brought to the tower's size and range.

    Attributes:
        side: S.
        path: ``released`` is the evaluation of TinyVLA's authors: centre crop, square padding in
            the mean colour, Pillow's bicubic resize. ``plain`` resizes to a square and may
            stretch; it stays on the pictures' device. One oddity of the released code is left
            out: it mistakes 0..1 for 0..255 where an uncropped square is pure black and white.
        crop_frac: Share of height and width that the released path keeps; 1 keeps everything.
        mean: Of each colour, subtracted after scaling to 0..1.
        std: Of each colour, divided by.
    """

    side: int
    path: PicturePath = "released"
    crop_frac: float = 0.95
    mean: Sequence[float] = CLIP_MEAN
    std: Sequence[float] = CLIP_STD

    def __post_init__(self) -> None:
        if self.path not in ("released", "plain"):
            raise ConfigError(f"The picture path is released or plain, got {self.path!r}.")
        if not 0 < self.crop_frac <= 1:
            raise ConfigError(f"crop_frac must be above 0 and at most 1, got {self.crop_frac}.")

    def __call__(self, images: Tensor) -> Tensor:
        """Maps uint8 pictures (B, H, W, 3) to (B, 3, S, S)."""
        unit = images.permute(0, 3, 1, 2).float() / 255  # (B, 3, H, W)
        if self.path == "released":
            levels = torch.from_numpy(self._levels(unit.cpu())).to(images.device)
            unit = levels.float() / 255  # (B, 3, S, S)
        else:
            size = (self.side, self.side)
            unit = F.interpolate(unit, size, mode="bilinear", antialias=True)
        mean, std = (
            torch.tensor(values, dtype=torch.float32, device=images.device)[:, None, None]
            for values in (self.mean, self.std)
        )
        return (unit - mean) / std

    def _levels(self, unit: Tensor) -> np.ndarray:
        """The released path up to the last division: uint8, (B, 3, S, S)."""
        square = padded(cropped(unit, self.crop_frac), self.mean)  # (B, 3, side, side)
        # The released code truncates; rounding would change half of all pixels.
        levels = (square * 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
        size = (self.side, self.side)
        resized = [Image.fromarray(one).resize(size, Image.Resampling.BICUBIC) for one in levels]
        return np.stack([np.asarray(one) for one in resized]).transpose(0, 3, 1, 2)


def cropped(unit: Tensor, crop_frac: float) -> Tensor:
    """Cuts the middle out and brings it back to its old size, (B, 3, H, W)."""
    if crop_frac == 1:
        return unit
    height, width = unit.shape[-2:]
    rows, columns = (
        slice(int(size * (1 - crop_frac) / 2), int(size * (1 + crop_frac) / 2))
        for size in (height, width)
    )
    return F.interpolate(unit[..., rows, columns], (height, width), mode="bilinear", antialias=True)


def padded(unit: Tensor, colour: Sequence[float]) -> Tensor:
    """Puts pictures (B, 3, H, W) into the middle of a square of one colour."""
    height, width = unit.shape[-2:]
    side = max(height, width)
    if height == width:
        return unit
    fill = torch.tensor(colour, dtype=unit.dtype)[:, None, None]
    square = fill.expand(len(unit), 3, side, side).clone()
    top, left = (side - height) // 2, (side - width) // 2
    square[..., top : top + height, left : left + width] = unit
    return square
