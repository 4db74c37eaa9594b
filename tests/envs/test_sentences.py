import json
from pathlib import Path
from typing import TypedDict, cast

import metaworld
import pytest

import tinyvla_gym

SENTENCES_PATH = Path(tinyvla_gym.__file__).parent / "envs" / "metaworld_sentences.json"
ARTICLES = frozenset({"a", "an", "the"})
MAX_CHARACTERS = 256


class TaskSentences(TypedDict):
    default: str
    train: list[str]
    heldout: list[str]


def load_sentences() -> dict[str, TaskSentences]:
    return cast("dict[str, TaskSentences]", json.loads(SENTENCES_PATH.read_text(encoding="ascii")))


def metaworld_task_names() -> list[str]:
    return sorted(name.removesuffix("-v3") for name in metaworld.ALL_V3_ENVIRONMENTS)


def seen_sentences(task: TaskSentences) -> list[str]:
    return [task["default"], *task["train"]]


def all_sentences(task: TaskSentences) -> list[str]:
    return [*seen_sentences(task), *task["heldout"]]


def without_articles(sentence: str) -> list[str]:
    return [word for word in sentence.split() if word not in ARTICLES]


def word_edits(left: list[str], right: list[str]) -> int:
    """Count the word insertions, deletions and substitutions that turn left into right."""
    row = list(range(len(right) + 1))
    for i, left_word in enumerate(left, start=1):
        previous, row = row, [i]
        for j, right_word in enumerate(right, start=1):
            substituted = previous[j - 1] + (left_word != right_word)
            row.append(min(previous[j] + 1, row[j - 1] + 1, substituted))
    return row[-1]


SENTENCES = load_sentences()
each_task = pytest.mark.parametrize("task", SENTENCES.values(), ids=SENTENCES.keys())


def test_the_file_holds_exactly_the_fifty_metaworld_tasks_in_alphabetical_order() -> None:
    assert len(SENTENCES) == 50
    assert list(SENTENCES) == metaworld_task_names()


@each_task
def test_each_task_has_one_default_fourteen_train_and_six_heldout_sentences(
    task: TaskSentences,
) -> None:
    assert set(task) == {"default", "train", "heldout"}
    assert isinstance(task["default"], str)
    assert len(task["train"]) == 14
    assert len(task["heldout"]) == 6


@each_task
def test_each_sentence_is_short_plain_lower_case_ascii(task: TaskSentences) -> None:
    for sentence in all_sentences(task):
        words = sentence.split(" ")
        assert sentence.isascii()
        assert sentence.isprintable()
        assert sentence == sentence.lower()
        assert all(word.isalpha() for word in words), sentence
        assert 2 <= len(words) <= 14, sentence
        assert len(sentence) <= MAX_CHARACTERS


def test_no_two_sentences_of_any_tasks_are_equal_even_when_articles_are_ignored() -> None:
    owners: dict[str, str] = {}
    for name, task in SENTENCES.items():
        for sentence in all_sentences(task):
            key = " ".join(without_articles(sentence))
            assert key not in owners, f"{name} and {owners.get(key)} share: {sentence}"
            owners[key] = name
    assert len(owners) == 50 * 21


@each_task
def test_heldout_sentences_use_only_words_seen_in_the_same_task(task: TaskSentences) -> None:
    seen_words = {word for sentence in seen_sentences(task) for word in sentence.split()}
    for sentence in task["heldout"]:
        assert set(sentence.split()) <= seen_words, sentence


@each_task
def test_heldout_sentences_differ_from_seen_ones_by_more_than_articles_and_one_word(
    task: TaskSentences,
) -> None:
    for sentence in task["heldout"]:
        for seen in seen_sentences(task):
            edits = word_edits(without_articles(sentence), without_articles(seen))
            assert edits >= 2, f"{sentence!r} is too close to {seen!r}"


def test_sentences_of_the_wall_tasks_and_no_others_mention_the_wall() -> None:
    for name, task in SENTENCES.items():
        for sentence in all_sentences(task):
            assert ("wall" in sentence.split()) == name.endswith("-wall"), sentence
