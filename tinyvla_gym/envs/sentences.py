"""The sentences that name MetaWorld's tasks."""

import json
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np

from tinyvla_gym.errors import UnknownNameError

SentenceSet = Literal["default", "train", "heldout"]


@cache
def _table() -> dict[str, dict[str, str | list[str]]]:
    return json.loads(files("tinyvla_gym.envs").joinpath("metaworld_sentences.json").read_text())


def sentences(task: str, which: SentenceSet = "default") -> tuple[str, ...]:
    """Returns a task's sentences.

    Args:
        task: A MetaWorld task without its suffix: ``drawer-open``.
        which: ``default`` is one sentence; ``train`` are 14 paraphrases and the default;
            ``heldout`` are 6 that recombine the words of the training sentences.

    Raises:
        UnknownNameError: If there is no such task or set.
    """
    if task not in _table():
        raise UnknownNameError("MetaWorld task", task, _table())
    row = _table()[task]
    if which not in row:
        raise UnknownNameError("set of sentences", which, row)
    default = str(row["default"])
    return {
        "default": (default,),
        "train": (default, *row["train"]),
        "heldout": tuple(row["heldout"]),
    }[which]


def draw_sentence(task: str, which: SentenceSet, rng: np.random.Generator) -> str:
    """Draws one of a task's sentences."""
    choice = sentences(task, which)
    return choice[int(rng.integers(len(choice)))]
