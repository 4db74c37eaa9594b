"""What an exported graph is fed: words as integers, and pictures as it takes them; no torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import CheckpointError, MissingExtraError
from tinyvla_gym.policies.checkpoint import GRAPH, VOCABULARY
from tinyvla_gym.policies.tinyvla.released_pictures import prepared
from tinyvla_gym.policies.words import piece_ids


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a graph's backbone reads.

    Attributes:
        words: Turns N sentences into integers, (N, ...).
        pictures: Turns N pictures of one camera, (N, H, W, 3), into as many of the graph's size.
    """

    words: Callable[[Sequence[str]], NDArray[np.int64]]
    pictures: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def reading(folder: Path, facts: Mapping[str, Any] | None) -> Reading:
    """Reads how a graph is to be fed.

    Args:
        folder: Holds the vocabulary, if there is one.
        facts: What the graph says of its prompts and pictures; None for words hashed by their
            pieces and pictures as they are.

    Raises:
        CheckpointError: If they, or the vocabulary, do not fit.
        MissingExtraError: If a prompt has to be split and the library for that is missing.
    """
    if facts is None:
        return Reading(words=_hashed, pictures=_unchanged)
    try:
        from tinyvla_gym.policies.tinyvla.llava_pythia.prompt import conversation
        from tinyvla_gym.policies.tinyvla.vocabulary import read_vocabulary
    except ImportError as error:
        raise MissingExtraError("Splitting sentences into pieces", "tinyvla") from error
    try:
        vocabulary = read_vocabulary(str(folder / VOCABULARY) if facts["vocabulary"] else "")
        prompts = conversation(vocabulary, form=facts["prompt"], longest=facts["longest"])
        pictures = partial(prepared, **facts["pictures"]) if facts["pictures"] else _unchanged
    except (KeyError, TypeError) as error:
        raise CheckpointError(folder, f"{GRAPH} says nothing of its {error}.") from error
    return Reading(words=prompts, pictures=pictures)


def _hashed(sentences: Sequence[str]) -> NDArray[np.int64]:
    return np.stack([piece_ids(sentence) for sentence in sentences])


def _unchanged(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images
