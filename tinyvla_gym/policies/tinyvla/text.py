"""A small sentence encoder that is trained from scratch and reads words by their pieces.

A word is the mean of the embeddings of its character trigrams and of itself, hashed into a
fixed table (Bojanowski et al., arXiv 1607.04606): no vocabulary file, and a word never seen in
training still has a meaning near its relatives.

Shapes: B batch, T words, G pieces of a word, C channels.
"""

import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

BUCKETS = 4096
WORDS = 32
"""Words of a sentence that are read; the rest is ignored."""
PIECES = 16


def pieces(word: str) -> list[str]:
    """Splits a word: itself with its boundaries marked, then its trigrams, at most 16."""
    marked = f"<{word}>"
    trigrams = [marked[i : i + 3] for i in range(len(marked) - 2)]
    return [marked, *trigrams][:PIECES]


@lru_cache(maxsize=4096)
def piece_ids(sentence: str) -> NDArray[np.int64]:
    """Hashes a sentence's pieces into 1..4096; 0 is padding. Shape (T, G) = (32, 16)."""
    table = np.zeros((WORDS, PIECES), np.int64)
    spaced = "".join(c if c.isalnum() else " " for c in sentence.lower())
    for row, word in enumerate(spaced.split()[:WORDS]):
        ids = [1 + zlib.crc32(piece.encode()) % BUCKETS for piece in pieces(word)]
        table[row, : len(ids)] = ids
    return table


def tokenize(sentences: Sequence[str]) -> Tensor:
    """Hashes sentences; shape (B, T, G)."""
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
        x = self.pieces(words.flatten(0, 1)).unflatten(0, words.shape[:2])  # (B, T, C)
        x = x + self.places[:longest]
        x = x + self.attention(self.norm(x), mask)
        x = x + self.contract(F.gelu(self.expand(self.expand_norm(x))))
        weights = mask.to(x.dtype)[..., None]
        return self.out_norm((x * weights).sum(1) / weights.sum(1).clamp(min=1))


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
