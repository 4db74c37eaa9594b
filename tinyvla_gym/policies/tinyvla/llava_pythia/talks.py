"""What LLaVA-Pythia learns from before it drives: LLaVA's JSON, as captions and conversations."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyvla_gym.errors import DatasetError
from tinyvla_gym.policies.tinyvla.llava_pythia.prompt import BEFORE, END_OF_TEXT
from tinyvla_gym.policies.tinyvla.prompts import PICTURES
from tinyvla_gym.policies.tinyvla.vocabulary import Vocabulary

UNSAID = -100
"""Stands where nothing is to be learnt: in questions, pictures and padding."""
MARK = "<image>"
"""Stands for the picture in LLaVA's texts."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """One example.

    Attributes:
        words: Pieces, ``PICTURES`` where the picture goes.
        said: The pieces that are to be learnt at their places, ``UNSAID`` elsewhere.
        picture: Its file; None without one.
    """

    words: list[int]
    said: list[int]
    picture: Path | None

    def cut(self, longest: int) -> "Text":
        """The first pieces only."""
        return Text(words=self.words[:longest], said=self.said[:longest], picture=self.picture)


def read_talks(
    path: Path, images: Path, *, seen: bool = False
) -> list[tuple[list[str], Path | None]]:
    """Reads LLaVA's JSON: what was said in turn, a person first, and the picture.

    Args:
        path: The file.
        images: The folder that it names pictures in.
        seen: Whether every record must have a picture, as captions must.

    Raises:
        DatasetError: If the file or a record is damaged, or a picture is not there.
    """
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        talks = [
            (
                [turn["value"] for turn in record["conversations"]],
                images / record["image"] if "image" in record else None,
            )
            for record in records
        ]
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise DatasetError(path, f"it is not LLaVA's JSON, or damaged: {error!r}.") from error
    for number, (turns, picture) in enumerate(talks):
        if picture is None and seen:
            raise DatasetError(
                path,
                f"record {number} has no 'image', and a caption needs one. Name it, or leave the "
                "record out.",
            )
        if picture is not None and not picture.is_file():
            raise DatasetError(path, f"record {number} names {picture}, which is not there.")
        if len(turns) < 2 or len(turns) % 2:
            raise DatasetError(path, f"record {number} has {len(turns)} turns: an answer to each.")
    if not talks:
        raise DatasetError(path, "it has no records.")
    return talks


def caption(turns: Sequence[str], picture: Path | None, vocabulary: Vocabulary) -> Text:
    """LLaVA's ``plain`` form: the picture, and its caption."""
    pieces = vocabulary.encode(turns[1].strip() + "\n")
    return Text(words=[PICTURES, *pieces], said=[UNSAID, *pieces], picture=picture)


def conversation(turns: Sequence[str], picture: Path | None, vocabulary: Vocabulary) -> Text:
    """LLaVA's ``v0`` form: as a policy's prompt, with answers; the picture stands first."""
    words: list[int] = []
    said: list[int] = []
    for turn, (question, answer) in enumerate(zip(turns[::2], turns[1::2], strict=True)):
        asked = f"{question.replace(MARK, '').strip()} ASSISTANT:"
        before = vocabulary.encode(BEFORE if turn == 0 else "USER: ")
        seen = [PICTURES] if turn == 0 and picture is not None else []
        heard = [*before, *seen, *vocabulary.encode("\n" + asked if seen else asked)]
        told = [*vocabulary.encode(f" {answer.strip()}"), END_OF_TEXT]
        words += heard + told
        said += [UNSAID] * len(heard) + told
    return Text(words=words, said=said, picture=picture)
