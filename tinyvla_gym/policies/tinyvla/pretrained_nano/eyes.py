"""The eyes of pretrained-nano: EfficientNet-Lite0, which ImageNet taught, up to a sixteenth.

Inverted residuals without squeeze-and-excitation (Tan and Le, arXiv 1905.11946; the Lite variant
clips at 6 so that it can be rounded to integers). Norms are folded into the convolutions when
the weights are read, so there are none here. The last five of sixteen blocks and the classifier are
left out, as TinyVLA leaves out its tower's last layer: they say what a picture shows, not where.

Shapes: B batch, C channels, H and W picture size.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinyvla_gym.policies.tinyvla.backbone import Seen

STEM = 32
BLOCKS = (  # outputs, kernel, stride, how many times wider inside
    *((16, 3, 1, 1), (24, 3, 2, 6), (24, 3, 1, 6)),
    *((40, 5, 2, 6), (40, 5, 1, 6)),
    *((80, 3, 2, 6), (80, 3, 1, 6), (80, 3, 1, 6)),
    *((112, 5, 1, 6), (112, 5, 1, 6), (112, 5, 1, 6)),
)
FINE, MIDDLE = 3, 5
"""Blocks up to the map at a quarter, and at an eighth; all of them end at a sixteenth."""
CHANNELS = (BLOCKS[FINE - 1][0], BLOCKS[MIDDLE - 1][0], BLOCKS[-1][0])
"""Of the three maps: 24, 40, 112."""

AT_ONCE = 4
"""Pictures that a CPU sends through the trunk together: so few that their maps stay in its cache,
which makes a batch of 64 several times faster."""


class Eyes(nn.Module):
    """Three maps of a picture: a trunk that is never trained, and a top that adapters may bend.

    The trunk works at high resolution and costs most; nothing is differentiated through it.
    """

    def __init__(self) -> None:
        super().__init__()
        blocks = _blocks()
        self.trunk = Trunk(blocks[:MIDDLE])
        self.top = nn.Sequential(*blocks[MIDDLE:])

    def forward(self, images: Seen) -> tuple[Tensor, Tensor, Tensor]:
        """Maps uint8 pictures (B, H, W, 3) to maps at a quarter, an eighth and a sixteenth.

        In place of pictures it takes what the trunk has made of them.
        """
        fine, middle = self.trunk(images) if isinstance(images, Tensor) else images
        return fine, middle, self.top(middle)


class Trunk(nn.Module):
    """The first blocks, which stay as ImageNet left them."""

    def __init__(self, blocks: list["InvertedResidual"]) -> None:
        super().__init__()
        self.stem = SameConv2d(3, STEM, 3, stride=2, groups=1)
        self.fine = nn.Sequential(*blocks[:FINE])
        self.middle = nn.Sequential(*blocks[FINE:])
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Maps uint8 pictures (B, H, W, 3) to (B, 24, H/4, W/4) and (B, 40, H/8, W/8)."""
        at_once = AT_ONCE if images.device.type == "cpu" else len(images)
        parts = [self._maps(some) for some in images.split(max(1, at_once))]
        fine, middle = (torch.cat(maps) for maps in zip(*parts, strict=True))
        return fine, middle

    def _maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        picture = images.permute(0, 3, 1, 2).float() / 127.5 - 1.0  # as the Lite networks learned
        fine = self.fine(F.relu6(self.stem(picture)))
        return fine, self.middle(fine)


class InvertedResidual(nn.Module):
    """Widens, mixes neighbours channel by channel, and narrows again."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, wider: int) -> None:
        super().__init__()
        inside = inputs * wider
        self.expand = nn.Conv2d(inputs, inside, 1) if wider > 1 else nn.Identity()
        self.depthwise = SameConv2d(inside, inside, kernel, stride=stride, groups=inside)
        self.project = nn.Conv2d(inside, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, C_in, H, W) to (B, C_out, H / stride, W / stride)."""
        y = F.relu6(self.expand(x))  # without expansion, the stem has clipped it already
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class SameConv2d(nn.Conv2d):
    """A convolution that pads as TensorFlow does: an odd row goes below, an odd column right."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int, groups: int) -> None:
        even = kernel // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, kernel, stride=stride, padding=even, groups=groups)

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Maps (B, C_in, H, W) to (B, C_out, H / stride, W / stride), rounded up."""
        if self.stride == (1, 1):
            return super().forward(x)
        border: list[int] = []
        for size, kernel, stride in zip(x.shape[:1:-1], self.kernel_size, self.stride, strict=True):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            border += [total // 2, total - total // 2]
        return super().forward(F.pad(x, border))


def _blocks() -> list[InvertedResidual]:
    made, inputs = [], STEM
    for outputs, kernel, stride, wider in BLOCKS:
        made.append(InvertedResidual(inputs, outputs, kernel, stride, wider))
        inputs = outputs
    return made
