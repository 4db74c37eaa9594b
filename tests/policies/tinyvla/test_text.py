"""Tests for policies/tinyvla/text.py."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tinyvla_gym
from tinyvla_gym.envs.reach import TEMPLATES
from tinyvla_gym.errors import InstructionError
from tinyvla_gym.interface import INSTRUCTION_CHARACTERS
from tinyvla_gym.policies.tinyvla.text import SentenceEncoder, tokenize
from tinyvla_gym.policies.words import BUCKETS, PIECES, WORDS, pieces

torch.manual_seed(0)
ENCODER = SentenceEncoder(16).eval()
ANY = st.text(INSTRUCTION_CHARACTERS, max_size=256)


def number_of_words(sentence):
    return len("".join(c if c.isalnum() else " " for c in sentence).split())


SENTENCES = ANY.filter(lambda sentence: number_of_words(sentence) <= WORDS)


@torch.no_grad()
def read(*sentences):
    return ENCODER(tokenize(sentences))


def apart(one, other):
    first, second = read(one, other)
    return float((first - second).abs().max())


def test_a_word_is_itself_and_its_trigrams() -> None:
    assert pieces("reach") == ["<reach>", "<re", "rea", "eac", "ach", "ch>"]
    assert pieces("a") == ["<a>", "<a>"]
    assert len(pieces("x" * 256)) == PIECES


def test_a_sentence_is_a_table_of_words_and_pieces() -> None:
    table = tokenize(["go to", ""])

    assert table.shape == (2, WORDS, PIECES)
    assert [int((row > 0).any(-1).sum()) for row in table] == [2, 0]
    assert (table[0, 0] > 0).sum() == 3  # <go>, <go, go>


@given(ANY)
def test_every_sentence_fits_the_table_or_is_refused(sentence) -> None:
    if number_of_words(sentence) > WORDS:
        with pytest.raises(InstructionError):
            tokenize([sentence])
        return
    table = tokenize([sentence])

    assert int((table[0] > 0).any(-1).sum()) == number_of_words(sentence)
    assert table.min() >= 0
    assert table.max() <= BUCKETS


def test_hashes_do_not_change_between_processes() -> None:
    assert tokenize(["reach"])[0, 0, :6].tolist() == [3509, 2886, 2817, 2782, 2316, 112]


def test_case_and_punctuation_are_not_read() -> None:
    assert torch.equal(tokenize(["Open, the (Drawer)!"]), tokenize(["  open the drawer"]))


def test_digits_are_read() -> None:
    assert apart("press button 1", "press button 2") > 1e-3


def test_a_sentence_of_more_than_32_words_is_refused_not_cut() -> None:
    long = ["word"] * WORDS

    assert not torch.equal(tokenize([" ".join(long)]), tokenize([" ".join([*long[1:], "more"])]))
    with pytest.raises(InstructionError, match=r"has 33 words; .* places for 32\. Use a shorter"):
        tokenize(["go", " ".join([*long, "more"])])


def test_every_sentence_that_comes_with_the_package_fits() -> None:
    file = Path(tinyvla_gym.__file__).parent / "envs" / "metaworld_sentences.json"
    rows = json.loads(file.read_text()).values()
    metaworld = [s for row in rows for s in (row["default"], *row["train"], *row["heldout"])]
    toy = [template.format("red") for templates in TEMPLATES.values() for template in templates]

    table = tokenize([*metaworld, *toy])

    assert len(table) == 50 * 21 + 10
    assert int((table > 0).any(-1).sum(1).max()) == 14


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("open the drawer", "close the drawer"),
        ("reach the red target", "reach the blue target"),
        ("put red on blue", "put blue on red"),  # the same words
        ("push", "push push"),
        ("open the drawer", ""),
        ("x" * 100, "x" * 101),  # longer than the trigrams that are kept
    ],
)
def test_different_sentences_differ(one, other) -> None:
    assert apart(one, other) > 1e-3


def test_an_unknown_word_stands_near_its_relatives() -> None:
    known = "open the drawer"

    assert apart("open the drawers", known) < apart("open the window", known)


@pytest.mark.parametrize("sentence", ["", "   ", "?!"])
def test_a_sentence_without_words_is_a_finite_constant(sentence) -> None:
    features = read(sentence, "go")

    assert features.isfinite().all()
    torch.testing.assert_close(features[0], read("")[0])


@settings(max_examples=25)
@given(st.lists(SENTENCES, min_size=1, max_size=4))
def test_a_sentence_does_not_see_its_neighbours_in_the_batch(sentences) -> None:
    together = read(*sentences)

    assert together.isfinite().all()
    for sentence, features in zip(sentences, together, strict=True):
        torch.testing.assert_close(features, read(sentence)[0], rtol=0, atol=2e-6)


def test_an_empty_sentence_gives_finite_gradients() -> None:
    encoder = SentenceEncoder(16)

    encoder(tokenize(["", "go"])).square().sum().backward()

    assert all(
        weight.grad is not None and weight.grad.isfinite().all() for weight in encoder.parameters()
    )
