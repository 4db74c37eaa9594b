"""Tests for policies/tinyvla/pretrained_nano/eyes.py and reader.py, on random weights."""

import pytest
import torch
from pretrained_models import TEXT

from tinyvla_gym.errors import ConfigError, InstructionError
from tinyvla_gym.policies.tinyvla.pretrained_nano.eyes import AT_ONCE, CHANNELS, Eyes
from tinyvla_gym.policies.tinyvla.pretrained_nano.reader import Reader
from tinyvla_gym.policies.tinyvla.vocabulary import Bytes


@pytest.fixture
def reader():
    torch.manual_seed(0)
    return Reader(TEXT, frozen=2)


def words(reader, *sentences):
    return reader.tokenize(sentences, Bytes())


def pictures(count, height=32, width=32):
    return torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8)


@pytest.mark.parametrize(("height", "width"), [(96, 96), (64, 48), (33, 50)])
def test_maps_are_a_quarter_an_eighth_and_a_sixteenth_of_the_picture(height, width) -> None:
    maps = Eyes()(pictures(2, height, width))

    for one, channels, part in zip(maps, CHANNELS, (4, 8, 16), strict=True):
        assert one.shape == (2, channels, -(-height // part), -(-width // part))


@torch.no_grad()
def test_pictures_do_not_see_their_neighbours() -> None:
    eyes, many = Eyes().eval(), pictures(AT_ONCE + 1)

    together = eyes(many)

    for place in (0, AT_ONCE):
        for alone, among in zip(eyes(many[[place]]), together, strict=True):
            torch.testing.assert_close(alone[0], among[place], rtol=1e-5, atol=1e-6)


def test_nothing_is_learned_below_the_tops(reader) -> None:
    eyes = Eyes().train()

    eyes(pictures(2))[-1].sum().backward()
    reader.train()(words(reader, "go", "stop now")).square()[:, 0].sum().backward()

    for model in (eyes, reader):
        for name, weight in model.named_parameters():
            assert weight.requires_grad == (not name.startswith("trunk.")), name
            assert (weight.grad is None) == name.startswith("trunk."), name


@torch.no_grad()
def test_padding_does_not_change_what_a_sentence_means(reader) -> None:
    alone = reader(words(reader, "go"))
    beside = reader(words(reader, "go", "bring the hand over to the ball"))

    torch.testing.assert_close(alone[0], beside[0], rtol=0, atol=1e-6)
    torch.testing.assert_close(beside.norm(dim=-1), torch.ones(2))


@torch.no_grad()
def test_a_blank_sentence_can_be_read(reader) -> None:
    assert reader(words(reader, "", "go")).isfinite().all()


def test_the_frozen_part_reads_each_sentence_once_in_training_too(reader) -> None:
    asked = []
    reader.train().trunk.register_forward_hook(lambda _m, given, _o: asked.append(len(given[0])))
    rows = words(reader, "go", "stop", "go", "go")

    first = reader(rows)
    again = reader(rows)

    assert asked == [1, 1]
    assert torch.equal(first, again)
    assert torch.equal(first[0], first[2])


def test_the_trained_part_reads_each_sentence_of_a_batch_once(reader) -> None:
    seen = []
    reader.train().top[0].register_forward_hook(lambda _m, given, _o: seen.append(len(given[0])))

    reader(words(reader, *(["go", "stop"] * 8)))

    assert seen == [2]


def test_a_sentence_longer_than_the_context_is_refused(reader) -> None:
    with pytest.raises(InstructionError, match="makes 302 pieces; the reader has places for 300"):
        words(reader, "x" * 300)


@pytest.mark.parametrize("frozen", [-1, 4])
def test_the_frozen_layers_must_exist(frozen) -> None:
    with pytest.raises(ConfigError, match=f"frozen={frozen} must be from 0 to the reader's 3"):
        Reader(TEXT, frozen=frozen)


def test_a_reader_may_be_frozen_altogether_or_not_at_all() -> None:
    for frozen in (0, 3):
        made = Reader(TEXT, frozen=frozen)

        assert len(made.trunk.layers) == frozen
        assert made(words(made, "go")).shape == (1, 16)
