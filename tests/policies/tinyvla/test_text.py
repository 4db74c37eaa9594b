"""Tests for policies/tinyvla/text.py."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvla_gym.interface import INSTRUCTION_CHARACTERS
from tinyvla_gym.policies.tinyvla.text import SentenceEncoder, tokenize
from tinyvla_gym.policies.words import BUCKETS, PIECES, WORDS, pieces

torch.manual_seed(0)
ENCODER = SentenceEncoder(16).eval()
SENTENCES = st.text(INSTRUCTION_CHARACTERS, max_size=256)


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


@given(SENTENCES)
def test_every_sentence_fits_the_table(sentence) -> None:
    table = tokenize([sentence])

    assert table.min() >= 0
    assert table.max() <= BUCKETS


def test_hashes_do_not_change_between_processes() -> None:
    assert tokenize(["reach"])[0, 0, :6].tolist() == [3509, 2886, 2817, 2782, 2316, 112]


def test_case_and_punctuation_are_not_read() -> None:
    assert torch.equal(tokenize(["Open, the (Drawer)!"]), tokenize(["  open the drawer"]))


def test_digits_are_read() -> None:
    assert apart("press button 1", "press button 2") > 1e-3


def test_words_beyond_the_thirty_second_are_not_read() -> None:
    long = ["word"] * WORDS

    assert torch.equal(tokenize([" ".join(long)]), tokenize([" ".join([*long, "more"])]))
    assert not torch.equal(tokenize([" ".join(long)]), tokenize([" ".join([*long[1:], "more"])]))


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
