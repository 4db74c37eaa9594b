"""The projector of pretrained-nano: from what its eyes and its reader give to the head's tokens.

What is in it is new, and trained in full. It is the neck of ``nano`` on other people's maps: the
sentence scales and shifts them (FiLM), points say where things are, and a mean says what there is.

Shapes: B batch, C channels, P points per camera, H and W size of the finest map.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinyvla_gym.policies.tinyvla.nano import FilmBlock, grown, soft_arg_max


class Projector(nn.Module):
    """One token for the sentence, and one for each camera."""

    def __init__(
        self,
        cameras: int,
        *,
        seen: tuple[int, int, int],
        read: int,
        width: int,
        channels: tuple[int, int, int],
        points: int,
        text_width: int,
        sharpness: float,
    ) -> None:
        """Builds the projector.

        Args:
            cameras: Number of cameras.
            seen: Channels of the eyes' maps, finest first.
            read: Features of the reader's sentence.
            width: Features per token.
            channels: Of the maps in here, finest first.
            points: P.
            text_width: Features of the sentence in here.
            sharpness: Factor on the maps before the soft-arg-max.
        """
        super().__init__()
        self.sentence = nn.Sequential(nn.Linear(read, text_width), nn.LayerNorm(text_width))
        self.read = nn.Linear(text_width, width)
        self.necks = nn.ModuleList(
            Neck(seen, channels, points, text_width, sharpness) for _ in range(cameras)
        )
        found = 3 * points + channels[-1] + text_width
        self.see = nn.ModuleList(
            nn.Sequential(nn.Linear(found, width), nn.GELU(), nn.Linear(width, width))
            for _ in range(cameras)
        )

    def forward(self, maps: Sequence[Sequence[Tensor]], meaning: Tensor) -> Tensor:
        """Maps each camera's three maps and the sentence (B, C_read) to tokens (B, T, C)."""
        sentence = self.sentence(meaning)  # (B, C_text)
        tokens = [self.read(sentence)]
        for neck, see, three in zip(self.necks, self.see, maps, strict=True):
            tokens.append(see(torch.cat([neck(three, sentence), sentence], dim=-1)))
        return torch.stack(tokens, dim=1)


class Neck(nn.Module):
    """Three maps of one camera, read with the sentence in mind: P points and a summary."""

    def __init__(
        self,
        seen: tuple[int, int, int],
        channels: tuple[int, int, int],
        points: int,
        text_width: int,
        sharpness: float,
    ) -> None:
        super().__init__()
        self.sharpness = sharpness
        self.lift = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.GroupNorm(8, outputs))
            for inputs, outputs in zip(seen, channels, strict=True)
        )
        self.film = nn.ModuleList(
            FilmBlock(outputs, text_width, convolutions=1) for outputs in channels
        )
        fine, middle, coarse = channels
        self.to_middle = nn.Conv2d(coarse, middle, 1)
        self.to_fine = nn.Conv2d(middle, fine, 1)
        self.points = nn.Conv2d(fine, points, 1)

    def forward(self, maps: Sequence[Tensor], sentence: Tensor) -> Tensor:
        """Maps three maps and (B, C_text) to (B, 3 P + C_coarse)."""
        lifted = [lift(one) for lift, one in zip(self.lift, maps, strict=True)]
        coarse = self.film[2](F.silu(lifted[2]), sentence)  # (B, C, H/4, W/4)
        middle = F.silu(lifted[1] + grown(self.to_middle(coarse), lifted[1]))
        middle = self.film[1](middle, sentence)  # (B, C, H/2, W/2)
        fine = F.silu(lifted[0] + grown(self.to_fine(middle), lifted[0]))
        fine = self.film[0](fine, sentence)  # (B, C, H, W)
        points = self.sharpness * self.points(fine)  # (B, P, H, W)
        return torch.cat([soft_arg_max(points.contiguous()), coarse.mean((-2, -1))], dim=-1)
