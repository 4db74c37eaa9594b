"""Tests for the paired comparison of evaluation/statistics.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from tinyvla_gym.evaluation.statistics import Pairs, mcnemar, pairs_to_settle


def test_pairs_are_counted_on_common_seeds_only() -> None:
    a = {1: True, 2: True, 3: False, 4: False, 5: True}
    b = {1: True, 2: False, 3: True, 4: False, 6: True}

    assert Pairs.of(a, b) == Pairs(both=1, only_a=1, only_b=1, neither=1)
    assert Pairs.of(a, b).episodes == 4


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"),
    [
        (0, 0, 1.0),  # they never differed
        (5, 5, 1.0),
        (0, 5, 2 / 32),  # five heads in a row, either way
        (0, 6, 2 / 64),
        (1, 9, 2 * (1 + 10) / 1024),
    ],
)
def test_known_answers(only_a, only_b, p) -> None:
    assert mcnemar(only_a, only_b) == pytest.approx(p)


@given(st.integers(0, 200), st.integers(0, 200))
def test_it_is_the_exact_binomial_test(only_a, only_b) -> None:
    if only_a + only_b:
        wanted = binomtest(only_a, only_a + only_b).pvalue

        assert mcnemar(only_a, only_b) == pytest.approx(wanted)
    assert mcnemar(only_a, only_b) == mcnemar(only_b, only_a)


def test_nothing_settles_no_difference() -> None:
    assert pairs_to_settle(7, 7, 100) is None
    assert pairs_to_settle(0, 0, 100) is None


def test_the_number_to_settle_agrees_with_the_textbook() -> None:
    # 20 % against 10 % discordant: (1.96 sqrt(.3) + .84 sqrt(.3 - .01))^2 / .01
    assert pairs_to_settle(10, 20, 100) == 234
    assert pairs_to_settle(100, 200, 1000) == 234  # it follows from shares


def test_the_number_to_settle_settles_four_times_in_five() -> None:
    rng = np.random.default_rng(1)
    n = pairs_to_settle(10, 25, 100)
    assert n is not None

    drawn = rng.multinomial(n, [0.10, 0.25, 0.65], 2000)
    seen = np.mean([mcnemar(int(only_a), int(only_b)) < 0.05 for only_a, only_b, _ in drawn])

    assert 0.72 < seen < 0.84  # the exact test is a little more careful than its formula
