"""From camera pictures to what a pretrained vision tower reads.

Training and evaluation call the same functions, so that a policy never sees other pixels than
those it was trained on.

Shapes: B batch, H and W picture size, S side of what the tower reads [px].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.released_pictures import prepared

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
        exporting = torch.compiler.is_exporting()  # a graph's pictures are prepared already
        if self.path == "released" and not exporting:
            levels = prepared(
                images.cpu().numpy(), side=self.side, crop_frac=self.crop_frac, mean=self.mean
            )
            images = torch.from_numpy(levels).to(images.device)
        unit = images.permute(0, 3, 1, 2).float() / 255  # (B, 3, H, W)
        if self.path == "plain" and not exporting:
            size = (self.side, self.side)
            unit = F.interpolate(unit, size, mode="bilinear", antialias=True)
        mean, std = (
            torch.tensor(values, dtype=torch.float32, device=images.device)[:, None, None]
            for values in (self.mean, self.std)
        )
        return (unit - mean) / std
