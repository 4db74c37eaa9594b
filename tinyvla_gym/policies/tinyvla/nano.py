"""The nano backbone: small enough to train from scratch on a laptop's CPU.

No pretrained part. Each camera has a convolutional tower whose blocks are scaled and shifted
by the sentence (FiLM, Perez et al., arXiv 1709.07871). It says *where* things are by spatial
soft-arg-max over a map at a quarter of the picture's resolution (Finn et al., arXiv
1509.06113), and *what* there is by the mean of a coarser map. Large pictures may be reduced first.

Shapes: B batch, C channels, H and W picture size, P points per camera.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinyvla_gym.look import Look, look_of
from tinyvla_gym.policies.tinyvla import text
from tinyvla_gym.policies.tinyvla.backbone import Tokens
from tinyvla_gym.policies.tinyvla.memory import Memory


class NanoBackbone(nn.Module):
    """One token per camera and one for the sentence."""

    def __init__(
        self,
        cameras: int,
        *,
        width: int = 256,
        channels: tuple[int, int, int] = (32, 64, 96),
        points: int = 32,
        text_width: int = 128,
        sharpness: float = 4.0,
        look_px: int | None = None,
        look_middle_px: int | None = None,
    ) -> None:
        """Builds the backbone.

        Args:
            cameras: Number of cameras.
            width: Features per token, C.
            channels: Of the maps at a quarter, an eighth and a sixteenth of the resolution.
            points: Points that each camera's tower looks for, P.
            text_width: Features of the sentence.
            sharpness: Factor on the maps before the soft-arg-max; at 1 a fresh tower sees
                almost the whole picture as one point, and learns slowly where to look.
            look_px: Pictures with a longer edge are reduced to this by averaging [px]; None for
                not at all. Those that have been reduced before are taken as they are.
            look_middle_px: Edge of the middle part that is looked at, of pictures that are to be
                reduced [px]; all of it when None.

        Raises:
            ConfigError: If the middle is smaller than what it should be reduced to.
        """
        super().__init__()
        self.width = width
        self.look = look_of({"look_px": look_px, "look_middle_px": look_middle_px})
        self.text = text.SentenceEncoder(text_width)
        self._sentences = Memory()
        self.towers = nn.ModuleList(
            CameraTower(channels, points, text_width, sharpness) for _ in range(cameras)
        )
        seen = 3 * points + channels[-1]
        self.see = nn.ModuleList(
            nn.Sequential(nn.Linear(seen + text_width, width), nn.GELU(), nn.Linear(width, width))
            for _ in range(cameras)
        )
        self.read = nn.Linear(text_width, width)

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Hashes the sentences' words; shape (B, words, pieces)."""
        return text.tokenize(sentences)

    def forward(self, images: Sequence[Tensor], words: Tensor) -> Tokens:
        """Looks and reads; see ``Backbone``."""
        sentence = self._sentences.recall(self.text, words)  # (B, C_text)
        tokens = [self.read(sentence)]
        for tower, see, image in zip(self.towers, self.see, images, strict=True):
            levels = reduced(image, self.look) if self.look else image.permute(0, 3, 1, 2).float()
            picture = levels / 127.5 - 1.0  # (B, 3, H, W)
            tokens.append(see(torch.cat([tower(picture, sentence), sentence], dim=-1)))
        features = torch.stack(tokens, dim=1)  # (B, T, C)
        mask = torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
        return Tokens(features=features, mask=mask)


class CameraTower(nn.Module):
    """One picture, read with the sentence in mind: P points and a summary.

    Three maps, at a quarter, an eighth and a sixteenth of the picture's size; the coarse ones
    tell the fine one what is around each place.
    """

    def __init__(
        self, channels: tuple[int, int, int], points: int, text_width: int, sharpness: float
    ) -> None:
        super().__init__()
        self.sharpness = sharpness
        fine, middle, coarse = channels
        self.stem = nn.Conv2d(3, fine, 8, stride=4, padding=2)
        self.stem_norm = nn.GroupNorm(8, fine)
        self.fine = FilmBlock(fine, text_width, convolutions=1)
        self.to_middle = nn.Conv2d(fine, middle, 3, stride=2, padding=1)
        self.middle = FilmBlock(middle, text_width, convolutions=2)
        self.to_coarse = nn.Conv2d(middle, coarse, 3, stride=2, padding=1)
        self.coarse = FilmBlock(coarse, text_width, convolutions=2)
        self.lift_coarse = nn.Conv2d(coarse, middle, 1)
        self.lift_middle = nn.Conv2d(middle, fine, 1)
        self.merge = nn.Conv2d(fine, fine, 1)
        self.points = nn.Conv2d(fine, points, 1)

    def forward(self, picture: Tensor, sentence: Tensor) -> Tensor:
        """Maps (B, 3, H, W) and (B, C_text) to (B, 3 P + C_coarse)."""
        fine = self.fine(F.silu(self.stem_norm(self.stem(picture))), sentence)  # (B, C, H/4, W/4)
        middle = self.middle(self.to_middle(fine), sentence)  # (B, C, H/8, W/8)
        coarse = self.coarse(self.to_coarse(middle), sentence)  # (B, C, H/16, W/16)
        middle = middle + grown(self.lift_coarse(coarse), middle)
        fine = fine + grown(self.lift_middle(middle), fine)
        maps = self.sharpness * self.points(F.silu(self.merge(fine)))  # (B, P, H/4, W/4)
        return torch.cat([soft_arg_max(maps.contiguous()), coarse.mean((-2, -1))], dim=-1)


def reduced(image: Tensor, look: Look) -> Tensor:
    """Makes of a picture what ``Look.reduce`` makes of it, bit for bit, here and in a graph.

    Args:
        image: uint8, shape (B, H, W, 3).
        look: What to make of it.

    Returns:
        Whole grey levels, float32, shape (B, 3, h, w).
    """
    height, width = image.shape[1:3]
    factor = look.factor(height, width)
    rows, columns = look.window(height, width)
    levels = image[:, rows, columns].permute(0, 3, 1, 2).float()
    if factor == 1:
        return levels
    # A mean is a multiple of 1 / factor^2, up to its rounding: a quarter of that keeps halves up.
    return torch.floor(F.avg_pool2d(levels, factor) + (0.5 + 0.25 / factor**2))


def grown(small: Tensor, like: Tensor) -> Tensor:
    """Repeats a coarse map's entries until it is as large as a fine one."""
    return F.interpolate(small, size=like.shape[-2:], mode="nearest")


class FilmBlock(nn.Module):
    """A residual block that the sentence scales and shifts; it starts as plain convolution."""

    def __init__(self, channels: int, text_width: int, *, convolutions: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(convolutions)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(8, channels) for _ in range(convolutions))
        self.film = nn.Linear(text_width, 2 * channels)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, sentence: Tensor) -> Tensor:
        """Maps (B, C, H, W) and (B, C_text) to (B, C, H, W)."""
        scale, shift = self.film(sentence)[..., None, None].chunk(2, dim=1)  # (B, C, 1, 1) each
        y = x
        for place, (convolution, norm) in enumerate(
            zip(self.convolutions, self.norms, strict=True)
        ):
            y = norm(convolution(F.silu(y) if place else y))
        return F.silu(x + y * (1 + scale) + shift)


def soft_arg_max(maps: Tensor) -> Tensor:
    """Where each map is large, and how large.

    Args:
        maps: Shape (B, P, H, W).

    Returns:
        Column and row of the centre of mass of each map's softmax, from -1 to 1, and the mean of
        the map under it, shape (B, 3 P).
    """
    height, width = maps.shape[-2:]
    logits = maps.flatten(2)  # (B, P, H W)
    weights = logits.softmax(-1)
    rows = torch.linspace(-1, 1, height, device=maps.device)
    columns = torch.linspace(-1, 1, width, device=maps.device)
    grid = torch.stack([columns.repeat(height), rows.repeat_interleave(width)], dim=-1)  # (H W, 2)
    places = weights @ grid  # (B, P, 2)
    strength = (weights * logits).sum(-1, keepdim=True)  # (B, P, 1)
    return torch.cat([places, strength], dim=-1).flatten(1)
