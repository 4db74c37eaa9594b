"""The conditional 1-D U-Net over action chunks.

The architecture is that of Diffusion Policy (Chi et al., arXiv 2303.04137) as TinyVLA's released
code has it: FiLM is ``scale * x + shift``, both up stages upsample, so K is a multiple of 4.

Shapes: B batch, K actions in a chunk, A action entries, D condition width, C channels.
"""

import math
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from tinyvla_gym.policies.tinyvla.memory import Memory
from tinyvla_gym.policies.tinyvla.onednn import use_onednn

if TYPE_CHECKING:
    from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig


class ConditionalUnet1D(nn.Module):
    """Predicts the noise in a chunk, given the noise level and a condition."""

    def __init__(
        self,
        action_size: int,
        condition_size: int,
        *,
        widths: tuple[int, int, int] = (256, 512, 1024),
        step_size: int = 256,
        kernel: int = 5,
        groups: int = 8,
        coarse_levels: bool = False,
    ) -> None:
        """Builds the network.

        Args:
            action_size: A.
            condition_size: D.
            widths: Channels of the three levels.
            step_size: Width of the noise level's embedding.
            kernel: Width of the convolutions [actions].
            groups: Groups of every GroupNorm.
            coarse_levels: Embeds noise levels in bfloat16, for weights trained that way.
        """
        super().__init__()
        self._levels = Memory()
        self.step_encoder = nn.Sequential(
            SinusoidalEmbedding(step_size, coarse=coarse_levels),
            nn.Linear(step_size, 4 * step_size),
            nn.Mish(),
            nn.Linear(4 * step_size, step_size),
        )

        def block(inputs: int, outputs: int) -> ResidualBlock:
            return ResidualBlock(inputs, outputs, step_size + condition_size, kernel, groups)

        first, middle, last = widths
        self.down = nn.ModuleList(
            BlockPair(block(inputs, outputs), block(outputs, outputs))
            for inputs, outputs in ((action_size, first), (first, middle), (middle, last))
        )
        self.shrink = nn.ModuleList(
            nn.Conv1d(width, width, 3, stride=2, padding=1) for width in (first, middle)
        )
        self.mid = BlockPair(block(last, last), block(last, last))
        self.up = nn.ModuleList(
            BlockPair(block(2 * inputs, outputs), block(outputs, outputs))
            for inputs, outputs in ((last, middle), (middle, first))
        )
        self.grow = nn.ModuleList(
            nn.ConvTranspose1d(width, width, 4, stride=2, padding=1) for width in (middle, first)
        )
        self.final = nn.Sequential(
            ConvBlock(first, first, kernel, groups), nn.Conv1d(first, action_size, 1)
        )
        use_onednn(self)

    @classmethod
    def from_config(cls, config: "TinyVLAConfig", action_size: int, condition_size: int) -> Self:
        """Builds the network that a config describes."""
        return cls(
            action_size,
            condition_size,
            widths=config.widths,
            step_size=config.step_size,
            kernel=config.kernel,
            groups=config.groups,
            coarse_levels=config.coarse_levels,
        )

    def forward(self, noisy: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        """Predicts noise.

        Args:
            noisy: Noisy chunks, shape (B, K, A); K is a multiple of 4.
            level: Noise level of each chunk, shape (B,).
            condition: Shape (B, D).

        Returns:
            The predicted noise, shape (B, K, A).
        """
        embedded = self._levels.recall(self.step_encoder, level)
        condition = torch.cat([embedded, condition], dim=-1)
        x = noisy.transpose(1, 2)  # (B, A, K)
        skips: list[Tensor] = []
        for stage, pair in enumerate(self.down):
            x = pair(x, condition)  # (B, C, K / 2^stage)
            skips.append(x)
            if stage < len(self.shrink):
                x = self.shrink[stage](x)
        x = self.mid(x, condition)
        for pair, grow in zip(self.up, self.grow, strict=True):
            x = grow(pair(torch.cat([x, skips.pop()], dim=1), condition))
        return self.final(x).transpose(1, 2)  # (B, K, A)


class BlockPair(nn.ModuleList):
    """Two residual blocks in a row."""

    def __init__(self, wide: "ResidualBlock", deep: "ResidualBlock") -> None:
        super().__init__([wide, deep])

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Maps (B, C_in, K) and (B, D) to (B, C_out, K)."""
        wide, deep = self
        return deep(wide(x, condition), condition)


class ResidualBlock(nn.Module):
    """Two convolutions; the first one's output is scaled and shifted by the condition."""

    def __init__(
        self, inputs: int, outputs: int, condition_size: int, kernel: int, groups: int
    ) -> None:
        super().__init__()
        self.first = ConvBlock(inputs, outputs, kernel, groups)
        self.second = ConvBlock(outputs, outputs, kernel, groups)
        self.film = nn.Sequential(nn.Mish(), nn.Linear(condition_size, 2 * outputs))
        self.shortcut = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Maps (B, C_in, K) and (B, D) to (B, C_out, K)."""
        scale, shift = self.film(condition)[..., None].chunk(2, dim=1)  # (B, C_out, 1) each
        return self.second(scale * self.first(x) + shift) + self.shortcut(x)


class ConvBlock(nn.Sequential):
    """Convolution, GroupNorm, Mish; keeps the length."""

    def __init__(self, inputs: int, outputs: int, kernel: int, groups: int) -> None:
        super().__init__(
            nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2),
            nn.GroupNorm(groups, outputs),
            nn.Mish(),
        )


class SinusoidalEmbedding(nn.Module):
    """Sines and cosines of the noise level, given in float32.

    The released code computes them in bfloat16, which is off by up to 0.25 rad; ``coarse`` does
    so too, for weights that were trained on it.
    """

    rates: Tensor

    def __init__(self, size: int, *, coarse: bool = False) -> None:
        super().__init__()
        half = size // 2
        self._precision = torch.bfloat16 if coarse else torch.float32
        places = torch.arange(half, dtype=self._precision)
        rates = torch.exp(places * (-math.log(10_000) / (half - 1)))
        self.register_buffer("rates", rates, persistent=False)

    def forward(self, level: Tensor) -> Tensor:
        """Maps (B,) to (B, size)."""
        phase = self._round(self._round(level)[:, None] * self._round(self.rates))  # (B, size / 2)
        return self._round(torch.cat([phase.sin(), phase.cos()], dim=-1))

    def _round(self, x: Tensor) -> Tensor:
        """To the precision and back: exported graphs know no sines in bfloat16."""
        return x.to(self._precision).float()
