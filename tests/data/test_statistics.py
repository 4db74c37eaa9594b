import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from tinyvla_gym.data.statistics import (
    QUANTILES,
    Statistics,
    count_pixels,
    describe,
    describe_pixels,
)
from tinyvla_gym.errors import ConfigError

pictures = st_numpy.arrays(
    np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.just(3))
)


def test_known_numbers():
    values = [[0.0, 7.0], [1.0, 7.0], [2.0, 7.0], [3.0, 7.0], [4.0, 7.0]]

    found = describe(values)

    assert found.count == 5
    np.testing.assert_allclose(found.min, [0, 7])
    np.testing.assert_allclose(found.max, [4, 7])
    np.testing.assert_allclose(found.mean, [2, 7])
    np.testing.assert_allclose(found.std, [np.sqrt(2), 0])
    np.testing.assert_allclose(found.q10, [0.4, 7])
    np.testing.assert_allclose(found.q50, [2, 7])
    np.testing.assert_allclose(found.q99, [3.96, 7])


def test_single_entries_and_booleans_have_one_number():
    assert describe(np.array([True, False, True, True])).mean.tolist() == [0.75]


@given(pictures)
def test_pixels_are_described_as_if_they_were_sorted_out_one_by_one(images):
    colours = images.reshape(-1, 3) / 255.0

    found = describe_pixels(count_pixels(images))

    assert found.count == len(images)
    assert found.mean.shape == (3, 1, 1)
    np.testing.assert_allclose(found.min.ravel(), colours.min(axis=0))
    np.testing.assert_allclose(found.max.ravel(), colours.max(axis=0))
    np.testing.assert_allclose(found.mean.ravel(), colours.mean(axis=0))
    np.testing.assert_allclose(found.std.ravel(), colours.std(axis=0), atol=1e-9)
    for name, frac in QUANTILES.items():
        exact = np.quantile(colours, frac, axis=0)
        np.testing.assert_allclose(getattr(found, name).ravel(), exact, atol=1e-9)


@given(pictures)
def test_counts_of_two_halves_add_up(images):
    doubled = np.concatenate([images, images])

    apart = count_pixels(images) + count_pixels(images)

    together = count_pixels(doubled)
    np.testing.assert_array_equal(apart.counts, together.counts)
    assert apart.frames == together.frames


def test_large_and_many_pictures_are_sampled():
    many = count_pixels(np.zeros((2000, 2, 2, 3), np.uint8))
    large = count_pixels(np.zeros((1, 480, 640, 3), np.uint8))

    assert many.frames == int(2000**0.75)
    assert large.counts.sum() == 3 * 120 * 160


def test_a_dictionary_through_json_gives_the_same_statistics():
    known = describe([[0.1, 0.2], [0.3, 0.7]])

    again = Statistics.from_dict(json.loads(json.dumps(known.to_dict())))

    assert again.to_dict() == known.to_dict()
    assert again.count == 2


def test_a_missing_key_is_named():
    facts = describe([[0.0], [1.0]]).to_dict()
    del facts["q50"]

    with pytest.raises(ConfigError, match="missing: q50; unknown: none"):
        Statistics.from_dict(facts)
