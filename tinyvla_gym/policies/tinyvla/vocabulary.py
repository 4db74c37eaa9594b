"""From text to a language model's integers: a ``tokenizer.json``, or bytes where there is none."""

from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer

from tinyvla_gym.errors import CheckpointError

FILE = "tokenizer.json"
FIRST_BYTE = 3
"""Id of byte 0 in ``Bytes``; what lies below is end of text, padding and unknown elsewhere."""


class Vocabulary(Protocol):
    """Splits text into pieces."""

    size: int
    """Ids run from 0 to ``size - 1``."""

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text's pieces; nothing is put before or behind them."""
        ...


class Bytes:
    """One id per byte: what a model with random weights reads while it has no vocabulary."""

    size = FIRST_BYTE + 256

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text's bytes."""
        return [FIRST_BYTE + byte for byte in text.encode()]


class Pieces:
    """The pieces of a ``tokenizer.json``, as transformers' fast tokenizers write it.

    Attributes:
        source: The file's text, so that a checkpoint can carry it.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._tokenizer: Tokenizer = Tokenizer.from_str(source)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.size = 1 + max(self._tokenizer.get_vocab().values(), default=0)

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text's pieces."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids


def read_vocabulary(path: str) -> Vocabulary:
    """Reads a vocabulary.

    Args:
        path: A ``tokenizer.json``; ``Bytes`` when empty.

    Raises:
        CheckpointError: If the file is missing or damaged.
    """
    if not path:
        return Bytes()
    file = Path(path)
    if not file.is_file():
        raise CheckpointError(
            file.parent, f"it has no {file.name}; copy it from where the weights came from."
        )
    try:
        return Pieces(file.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises a bare Exception
        raise CheckpointError(file.parent, f"{file.name} is damaged: {error}") from error
