"""From a sentence to integers: words by their pieces, hashed into a table. Needs numpy only."""

import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import InstructionError

BUCKETS = 4096
WORDS = 32
"""Words that a sentence may have."""
PIECES = 16


def pieces(word: str) -> list[str]:
    """Splits a word: itself with its boundaries marked, then its trigrams, at most 16."""
    marked = f"<{word}>"
    trigrams = [marked[i : i + 3] for i in range(len(marked) - 2)]
    return [marked, *trigrams][:PIECES]


@lru_cache(maxsize=4096)
def piece_ids(sentence: str) -> NDArray[np.int64]:
    """Hashes a sentence's pieces into 1..4096; 0 is padding. Shape (T, G) = (32, 16).

    Raises:
        InstructionError: If it has more words than that.
    """
    table = np.zeros((WORDS, PIECES), np.int64)
    words = "".join(c if c.isalnum() else " " for c in sentence.lower()).split()
    if len(words) > WORDS:
        raise InstructionError(
            f"The instruction {sentence!r} has {len(words)} words; this policy has places for "
            f"{WORDS}. Use a shorter sentence."
        )
    for row, word in enumerate(words):
        ids = [1 + zlib.crc32(piece.encode()) % BUCKETS for piece in pieces(word)]
        table[row, : len(ids)] = ids
    return table
