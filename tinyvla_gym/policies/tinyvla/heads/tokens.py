"""Actions as words, in the manner of RT-2 (arXiv 2307.15818) and OpenVLA (arXiv 2406.09246).

Each action entry becomes one of 256 bins; a small causal transformer says them one after the
other, each given all before. Many evaluations per plan: this head is here to be compared with.

Shapes: B batch, K actions in a chunk, A action entries, D condition width, L = K A tokens,
C channels.
"""

from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.heads.dice import Dice
from tinyvla_gym.policies.tinyvla.heads.head import Head

if TYPE_CHECKING:
    from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig


class TokensHead(Head):
    """Learns the next token by cross-entropy; plans by always taking the likeliest one."""

    plans_vary = False
    loss_varies = False

    def __init__(
        self,
        action_size: int,
        condition_size: int,
        horizon: int,
        *,
        bins: int = 256,
        width: int = 192,
        heads: int = 4,
        layers: int = 4,
    ) -> None:
        """Builds the head.

        Args:
            action_size: A.
            condition_size: D.
            horizon: K.
            bins: Equal parts of [-1, 1] that an action entry is told apart by.
            width: Channels of the transformer, C.
            heads: Its attention heads.
            layers: Its layers.

        Raises:
            ConfigError: If the attention heads cannot share the channels.
        """
        super().__init__()
        if width % heads:
            raise ConfigError(f"width={width} must be a multiple of heads={heads}.")
        self.horizon = horizon
        self.bins = bins
        self.begin = nn.Linear(condition_size, width)
        self.read = nn.Embedding(bins, width)
        self.places = nn.Parameter(0.02 * torch.randn(horizon * action_size, width))
        self.blocks = nn.ModuleList(CausalBlock(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.say = nn.Linear(width, bins)

    @classmethod
    def from_config(cls, config: "TinyVLAConfig", action_size: int, condition_size: int) -> Self:
        """Builds the head."""
        return cls(action_size, condition_size, config.horizon, **config.head_options)

    def errors(
        self,
        condition: Tensor,
        actions: Tensor,
        is_pad: Tensor,
        dice: Dice,
    ) -> Tensor:
        """Cross-entropy of the right bins, given all the right ones before."""
        wanted = self.to_bins(actions).flatten(1)  # (B, L)
        hidden = is_pad.repeat_interleave(actions.shape[-1], dim=1)[..., None]  # (B, L, 1)
        told = self.read(wanted).masked_fill(hidden, 0.0)  # padding says nothing
        x = torch.cat([self.begin(condition)[:, None], told[:, :-1]], dim=1) + self.places
        for block in self.blocks:
            x, _ = block(x)
        error = F.cross_entropy(self.say(self.norm(x)).mT, wanted, reduction="none")
        return error.view(actions.shape).mean(-1)  # (B, K)

    def chunks(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Says one token after the other; the noise has no say."""
        token = self.begin(condition)[:, None]  # (B, 1, C)
        pasts: list[tuple[Tensor, Tensor] | None] = [None] * len(self.blocks)
        said = []
        for place in self.places:
            x = token + place
            for i, block in enumerate(self.blocks):
                x, pasts[i] = block(x, pasts[i])
            said.append(self.say(self.norm(x)).argmax(-1))  # (B, 1)
            token = self.read(said[-1])
        return self.to_actions(torch.cat(said, dim=1).view(noise.shape))

    def to_bins(self, actions: Tensor) -> Tensor:
        """Bins of actions in [-1, 1]; what lies outside gets the outermost."""
        return ((actions + 1) / 2 * self.bins).long().clamp(0, self.bins - 1)

    def to_actions(self, bins: Tensor) -> Tensor:
        """Middles of bins."""
        return (bins + 0.5) / self.bins * 2 - 1


class CausalBlock(nn.Module):
    """Self-attention to what came before, then a small perceptron, both residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.expand_norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Reads the next tokens.

        Args:
            x: All tokens, or the one that follows ``past``, shape (B, T, C).
            past: Keys and values of the tokens before, as they were returned.

        Returns:
            The tokens, shape (B, T, C); keys and values of all tokens so far.
        """
        parts = self.qkv(self.attention_norm(x)).unflatten(-1, (3, self.heads, -1))
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # (B, heads, T, C / heads) each
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=past is None)
        x = x + self.mix(seen.transpose(1, 2).flatten(2))
        return x + self.contract(F.gelu(self.expand(self.expand_norm(x)))), (k, v)
