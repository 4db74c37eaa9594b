"""The reader of pretrained-nano: MiniLM, a sentence encoder, on transformers' own BERT.

The mean over a sentence's pieces, brought to length 1, as all-MiniLM-L6-v2 was trained to compare
sentences by (Reimers and Gurevych, arXiv 1908.10084). The first layers are never trained, so what
they make of a sentence is remembered.

Shapes: B batch, L pieces of the longest sentence, C features.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertConfig, BertModel

from tinyvla_gym.errors import ConfigError, InstructionError
from tinyvla_gym.policies.tinyvla.memory import Memory
from tinyvla_gym.policies.tinyvla.prompts import padded
from tinyvla_gym.policies.tinyvla.vocabulary import Vocabulary

MINILM = {
    "vocab_size": 30522,
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
}
"""all-MiniLM-L6-v2, 22.6 M weights."""
PADDING, START, END = 0, 101, 102
"""BERT's own pieces."""


class Reader(nn.Module):
    """Says what sentences mean.

    Attributes:
        width: Features of a sentence, C.
    """

    def __init__(self, facts: Mapping[str, Any], *, frozen: int) -> None:
        """Builds the encoder with random weights.

        Args:
            facts: Settings of transformers' ``BertConfig``.
            frozen: How many of the first layers are never trained.

        Raises:
            ConfigError: If there are not so many layers.
        """
        super().__init__()
        still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        bert = BertModel(BertConfig(**{**facts, **still}), add_pooling_layer=False)
        layers = bert.encoder.layer
        if not 0 <= frozen <= len(layers):
            raise ConfigError(
                f"frozen={frozen} must be from 0 to the reader's {len(layers)} layers."
            )
        self.width = int(bert.config.hidden_size)
        self.longest = int(bert.config.max_position_embeddings)
        self.trunk = Trunk(bert.embeddings, layers[:frozen])
        self.top = layers[frozen:]
        self._remembered = Memory()

    def tokenize(self, sentences: Sequence[str], vocabulary: Vocabulary) -> Tensor:
        """Turns sentences into pieces, int64, (B, L).

        Raises:
            InstructionError: If one has more pieces than the encoder has places for.
        """
        rows = [[START, *vocabulary.encode(sentence), END] for sentence in sentences]
        for sentence, row in zip(sentences, rows, strict=True):
            if len(row) > self.longest:
                raise InstructionError(
                    f"The instruction {sentence!r} makes {len(row)} pieces; the reader has places "
                    f"for {self.longest}. Use a shorter sentence."
                )
        return torch.from_numpy(padded(rows, PADDING))

    def forward(self, words: Tensor) -> Tensor:
        """Maps pieces (B, L) to what they mean, (B, C), each of length 1."""
        # A batch has many frames and few sentences: each is read once.
        sentences, which = torch.unique(words, dim=0, return_inverse=True)
        with torch.no_grad():
            hidden = self._remembered.recall(self.trunk, sentences)  # (sentences, L, C)
        seen = sentences != PADDING
        for layer in self.top:
            hidden = layer(hidden, attention_mask=seen[:, None, None])
        weights = seen.to(hidden.dtype)[..., None]
        mean = (hidden * weights).sum(1) / weights.sum(1)
        return F.normalize(mean, dim=-1)[which]


class Trunk(nn.Module):
    """The embeddings and the first layers, which stay as they are, in training too."""

    def __init__(self, embeddings: nn.Module, layers: nn.ModuleList) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.layers = layers
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Trunk":
        """Stays in evaluation mode."""
        return super().train(False)

    def forward(self, words: Tensor) -> Tensor:
        """Maps pieces (B, L) to features (B, L, C); 0 in padded places."""
        seen = words != PADDING
        longest = int(seen.sum(1).max())
        seen = seen[:, :longest]
        hidden = self.embeddings(input_ids=words[:, :longest])
        for layer in self.layers:
            hidden = layer(hidden, attention_mask=seen[:, None, None])
        hidden = hidden * seen[..., None]
        return F.pad(hidden, (0, 0, 0, words.shape[1] - longest))
