"""The head of ACT (Zhao et al., arXiv 2304.13705): a conditional variational auto-encoder.

In training, an encoder squeezes the demonstrated chunk into a small latent, which says in which of
several possible manners it was done; a decoder rebuilds the chunk from the condition and the
latent. A plan takes the latent's mean manner, zero.

Shapes: B batch, K actions in a chunk, A action entries, D condition width, Z latent, C channels.
"""

from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from tinyvla_gym.policies.tinyvla.heads.dice import Dice
from tinyvla_gym.policies.tinyvla.heads.head import Head

if TYPE_CHECKING:
    from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig


class ActHead(Head):
    """Absolute error of the rebuilt chunk, plus the latent's divergence from a standard normal."""

    plans_vary = False

    def __init__(
        self,
        action_size: int,
        condition_size: int,
        horizon: int,
        *,
        width: int = 256,
        heads: int = 8,
        layers: int = 2,
        latent: int = 32,
        kl_weight: float = 10.0,
    ) -> None:
        """Builds the head.

        Args:
            action_size: A.
            condition_size: D.
            horizon: K.
            width: Channels of the transformers, C.
            heads: Their attention heads.
            layers: Layers of the encoder, and of the decoder.
            latent: Entries of the latent, Z.
            kl_weight: Factor on the divergence.
        """
        super().__init__()
        self.horizon = horizon
        self.kl_weight = kl_weight
        shape = {
            "d_model": width,
            "nhead": heads,
            "dim_feedforward": 4 * width,
            "dropout": 0.0,  # the loss draws from its generator only
            "batch_first": True,
        }
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**shape), layers, enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(**shape), layers)
        self.read_condition = nn.Linear(condition_size, width)
        self.read_action = nn.Linear(action_size, width)
        self.read_latent = nn.Linear(latent, width)
        self.summary = nn.Parameter(0.02 * torch.randn(1, width))
        self.places = nn.Parameter(0.02 * torch.randn(horizon, width))
        self.queries = nn.Parameter(0.02 * torch.randn(horizon, width))
        self.to_latent = nn.Linear(width, 2 * latent)
        self.to_action = nn.Linear(width, action_size)

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
        """Absolute errors; the divergence is added to each of a chunk's actions alike."""
        mean, log_variance = self._manner(condition, actions, is_pad)
        drawn = dice.normal(mean.shape).to(mean.device)
        latent = mean + (log_variance / 2).exp() * drawn
        error = (self._rebuild(condition, latent) - actions).abs().mean(-1)  # (B, K)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(-1)  # (B,)
        return error + self.kl_weight * divergence[:, None]

    def chunks(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Rebuilds from the latent 0; the noise has no say."""
        latent = condition.new_zeros(condition.shape[0], self.read_latent.in_features)
        return self._rebuild(condition, latent)

    def _manner(self, condition: Tensor, actions: Tensor, is_pad: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the latent, (B, Z) each."""
        tokens = torch.cat(
            [
                self.summary.expand(len(actions), 1, -1),
                self.read_condition(condition)[:, None],
                self.read_action(actions) + self.places,
            ],
            dim=1,
        )  # (B, 2 + K, C)
        hidden = torch.cat([is_pad.new_zeros(len(is_pad), 2), is_pad], dim=1)
        seen = self.encoder(tokens, src_key_padding_mask=hidden)[:, 0]
        mean, log_variance = self.to_latent(seen).chunk(2, dim=-1)
        return mean, log_variance

    def _rebuild(self, condition: Tensor, latent: Tensor) -> Tensor:
        """Chunks, (B, K, A)."""
        known = torch.stack([self.read_condition(condition), self.read_latent(latent)], dim=1)
        return self.to_action(self.decoder(self.queries.expand(latent.shape[0], -1, -1), known))
