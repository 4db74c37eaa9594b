"""The eyes of Diffusion Policy (Chi et al., arXiv 2303.04137), made multi-task by FiLM.

This is the baseline that TinyVLA is compared with: a ResNet-18 per camera with GroupNorm in place
of BatchNorm and spatial soft-arg-max at its end, every block scaled and shifted by an embedding of
the sentence. No vision-language model; the head is the same U-Net.

Shapes: B batch, C channels, H and W picture size, P points per camera.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla import text
from tinyvla_gym.policies.tinyvla.backbone import Tokens
from tinyvla_gym.policies.tinyvla.memory import Memory
from tinyvla_gym.policies.tinyvla.nano import soft_arg_max

GROUP = 16
"""Channels per group of a GroupNorm, as in Diffusion Policy."""


class FilmResNet(nn.Module):
    """One token: what all cameras saw."""

    def __init__(
        self,
        cameras: int,
        *,
        width: int = 256,
        channels: tuple[int, int, int, int] = (64, 128, 256, 512),
        points: int = 32,
        text_width: int = 128,
    ) -> None:
        """Builds the backbone.

        Args:
            cameras: Number of cameras.
            width: Features of the token, C.
            channels: Of the four stages; multiples of 16.
            points: Points that each camera's tower looks for, P.
            text_width: Features of the sentence.

        Raises:
            ConfigError: If the channels cannot be grouped.
        """
        super().__init__()
        if any(channel % GROUP for channel in channels):
            raise ConfigError(f"channels {channels} must be multiples of {GROUP}.")
        self.width = width
        self.text = text.SentenceEncoder(text_width)
        self._sentences = Memory()
        self.towers = nn.ModuleList(Tower(channels, points, text_width) for _ in range(cameras))
        self.join = nn.Linear(cameras * 3 * points, width)

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Hashes the sentences' words; shape (B, words, pieces)."""
        return text.tokenize(sentences)

    def forward(self, images: Sequence[Tensor], words: Tensor) -> Tokens:
        """Looks with the sentence in mind; see ``Backbone``."""
        sentence = self._sentences.recall(self.text, words)  # (B, C_text)
        seen = [
            tower(image.permute(0, 3, 1, 2).float() / 127.5 - 1.0, sentence)
            for tower, image in zip(self.towers, images, strict=True)
        ]
        features = self.join(torch.cat(seen, dim=-1))[:, None]  # (B, 1, C)
        mask = torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
        return Tokens(features=features, mask=mask)


class Tower(nn.Module):
    """A ResNet-18 with GroupNorm, FiLM and spatial soft-arg-max."""

    def __init__(self, channels: tuple[int, int, int, int], points: int, text_width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, channels[0], 7, stride=2, padding=3, bias=False)
        self.stem_norm = nn.GroupNorm(channels[0] // GROUP, channels[0])
        self.blocks = nn.ModuleList()
        inputs = channels[0]
        for stage, outputs in enumerate(channels):
            for stride in (1 if stage == 0 else 2, 1):
                self.blocks.append(FilmResidual(inputs, outputs, stride, text_width))
                inputs = outputs
        self.points = nn.Conv2d(inputs, points, 1)

    def forward(self, picture: Tensor, sentence: Tensor) -> Tensor:
        """Maps (B, 3, H, W) and (B, C_text) to (B, 3 P)."""
        x = F.relu(self.stem_norm(self.stem(picture)))  # (B, C, H/2, W/2)
        x = F.max_pool2d(x, 3, stride=2, padding=1)  # (B, C, H/4, W/4)
        for block in self.blocks:
            x = block(x, sentence)  # to (B, C, H/32, W/32)
        return soft_arg_max(self.points(x).contiguous())


class FilmResidual(nn.Module):
    """ResNet's basic block; the sentence scales and shifts it, at first not at all."""

    def __init__(self, inputs: int, outputs: int, stride: int, text_width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.GroupNorm(outputs // GROUP, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(outputs // GROUP, outputs)
        self.film = nn.Linear(text_width, 2 * outputs)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)
        self.shortcut = (
            nn.Identity()
            if stride == 1 and inputs == outputs
            else nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False),
                nn.GroupNorm(outputs // GROUP, outputs),
            )
        )

    def forward(self, x: Tensor, sentence: Tensor) -> Tensor:
        """Maps (B, C_in, H, W) and (B, C_text) to (B, C_out, H / stride, W / stride)."""
        scale, shift = self.film(sentence)[..., None, None].chunk(2, dim=1)  # (B, C_out, 1, 1)
        y = F.relu(self.first_norm(self.first(x)))
        y = self.second_norm(self.second(y)) * (1 + scale) + shift
        return F.relu(y + self.shortcut(x))
