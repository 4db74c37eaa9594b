"""A small sentence encoder that is trained from scratch and reads words by their pieces.

A word is the mean of the embeddings of its character trigrams and of itself, hashed into a
fixed table (Bojanowski et al., arXiv 1607.04606): no vocabulary file, and a word never seen in
training still has a meaning near its relatives.

Shapes: B batch, T words, G pieces of a word, C channels.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinyvla_gym.policies.words import BUCKETS, WORDS, piece_ids


def tokenize(sentences: Sequence[str]) -> Tensor:
    """Hashes sentences; shape (B, T, G).

    Raises:
        InstructionError: If one has more words than there are places.
    """
    return torch.from_numpy(np.stack([piece_ids(sentence) for sentence in sentences]))


class SentenceEncoder(nn.Module):
    """Words by their pieces, one layer of self-attention, mean over the words."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pieces = nn.EmbeddingBag(BUCKETS + 1, width, mode="mean", padding_idx=0)
        self.places = nn.Parameter(torch.zeros(WORDS, width))
        self.norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads=4)
        self.expand_norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 2 * width)
        self.contract = nn.Linear(2 * width, width)
        self.out_norm = nn.LayerNorm(width)
        nn.init.normal_(self.places, std=0.02)

    def forward(self, words: Tensor) -> Tensor:
        """Maps piece ids (B, T, G) to sentence features (B, C); an empty sentence to a constant."""
        mask = (words > 0).any(-1)  # (B, T)
        # Padding is cut off, save in an exported graph, whose shapes do not depend on sentences.
        longest = WORDS if torch.compiler.is_exporting() else max(1, int(mask.sum(1).max()))
        words, mask = words[:, :longest], mask[:, :longest]
        x = self._means(words)  # (B, T, C)
        x = x + self.places[:longest]
        x = x + self.attention(self.norm(x), mask)
        x = x + self.contract(F.gelu(self.expand(self.expand_norm(x))))
        weights = mask.to(x.dtype)[..., None]
        return self.out_norm((x * weights).sum(1) / weights.sum(1).clamp(min=1))

    def _means(self, words: Tensor) -> Tensor:
        """Each word's mean over its pieces, shape (B, T, C)."""
        if not torch.compiler.is_exporting():
            return self.pieces(words.flatten(0, 1)).unflatten(0, words.shape[:2])
        # ONNX knows no bags, only embeddings.
        counts = (words > 0).to(self.places.dtype)[..., None]  # (B, T, G, 1)
        found = F.embedding(words, self.pieces.weight) * counts
        return found.sum(2) / counts.sum(2).clamp(min=1)


class SelfAttention(nn.Module):
    """Multi-head self-attention that ignores padding."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Maps (B, T, C) to (B, T, C); ``mask`` is False at padding, (B, T)."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = (
            mask[:, None, None, :] | ~mask.any(1)[:, None, None, None]
        )  # a row must see something
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)  # (B, heads, T, C / heads)
        return self.out(mixed.transpose(1, 2).flatten(2))
