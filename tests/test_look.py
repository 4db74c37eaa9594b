"""Tests for look.py, and that torch makes the same bits of a picture."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.look import Look, look_of
from tinyvla_gym.policies.tinyvla.nano import reduced


@st.composite
def reducible(draw):
    """A look, and pictures that it can reduce, of few grey levels so that halves are frequent."""
    factor, px = draw(st.integers(1, 8)), draw(st.integers(1, 6))
    border = 2 * draw(st.integers(0, 2))
    short = draw(st.integers(1, px))
    shape = (2, factor * px + border, factor * short + border * (short == px), 3)
    levels = draw(st.sampled_from([(0, 255), (0, 1), (254, 255)]))
    pictures = draw(arrays(np.uint8, shape, elements=st.integers(*levels)))
    return Look(px=px, middle_px=factor * px if border else None), pictures


@given(reducible())
def test_each_pixel_is_the_rounded_mean_of_its_square(case) -> None:
    look, pictures = case
    height, width = pictures.shape[1:3]
    factor = look.factor(height, width)
    rows, columns = look.window(height, width)

    small = look.reduce(pictures)

    assert small.shape[1:3] == look.size(height, width)
    kept = pictures[:, rows, columns].astype(np.int64)
    for row, column in np.ndindex(*small.shape[1:3]):
        here = (
            slice(row * factor, (row + 1) * factor),
            slice(column * factor, (column + 1) * factor),
        )
        mean = kept[:, *here].mean((1, 2))
        np.testing.assert_array_equal(small[:, row, column], np.floor(mean + 0.5 + 1e-9))


@given(reducible())
def test_torch_makes_the_same_bits_of_it(case) -> None:
    look, pictures = case

    levels = reduced(torch.from_numpy(pictures), look)

    np.testing.assert_array_equal(levels.permute(0, 2, 3, 1).numpy(), look.reduce(pictures))


@given(reducible())
def test_what_was_reduced_is_not_reduced_again(case) -> None:
    look, pictures = case

    small = look.reduce(pictures)

    np.testing.assert_array_equal(look.reduce(small), small)


@pytest.mark.parametrize("factor", [2, 3, 4, 5, 8, 16])
def test_every_sum_of_a_square_is_rounded_alike(factor) -> None:
    """All sums from black to white, halves among them, and rounding errors of the mean."""
    sums = np.arange(255 * factor**2 + 1)
    base, rest = np.divmod(sums, factor**2)
    squares = base[:, None] + (np.arange(factor**2) < rest[:, None])  # (sums, factor^2)
    pictures = np.repeat(squares.reshape(-1, factor, factor, 1), 3, axis=3).astype(np.uint8)
    look = Look(px=1)

    small, levels = look.reduce(pictures), reduced(torch.from_numpy(pictures), look)

    np.testing.assert_array_equal(small[:, 0, 0, 0], (2 * sums + factor**2) // (2 * factor**2))
    np.testing.assert_array_equal(levels[:, :, 0, 0].numpy(), small[:, 0, 0])


def test_the_middle_alone_is_looked_at() -> None:
    picture = np.zeros((8, 10, 3), np.uint8)
    picture[1:7, 2:8] = 100

    small = Look(px=3, middle_px=6).reduce(picture)

    assert small.shape == (3, 3, 3)
    assert (small == 100).all()


@pytest.mark.parametrize("size", [(120, 120), (64, 96), (1, 1)])
def test_a_small_picture_stays_whole(size) -> None:
    look = Look(px=120, middle_px=360)

    assert look.size(*size) == size
    assert look.window(*size) == (slice(0, size[0]), slice(0, size[1]))


@pytest.mark.parametrize(
    ("look", "size", "complaint"),
    [
        (
            Look(px=120),
            (500, 500),
            r"500 x 500 px.* to look_px=120 .* would do: 250, 125, 100, 50\.",
        ),
        (Look(px=120), (480, 322), r"480 x 322 px.* These would do: 240\."),
        (Look(px=100, middle_px=360), (480, 480), r"360 x 360 px, looked at of .* 480 x 480 px"),
        (Look(px=120), (121, 7), r"These would do: none\."),
    ],
)
def test_what_is_no_whole_number_of_pixels_is_refused(look, size, complaint) -> None:
    with pytest.raises(ConfigError, match=complaint):
        look.reduce(np.zeros((*size, 3), np.uint8))


def test_options_that_contradict_each_other_are_refused() -> None:
    assert look_of({"points": 3}) is None
    assert look_of({"look_px": 3}) == Look(px=3)
    with pytest.raises(ConfigError, match="look_middle_px=360 needs a look_px"):
        look_of({"look_middle_px": 360})
    with pytest.raises(ConfigError, match=r"look_px=120 .* no more than look_middle_px=100"):
        look_of({"look_px": 120, "look_middle_px": 100})
    with pytest.raises(ConfigError, match="look_px=0 must be at least 1"):
        look_of({"look_px": 0})
