"""Tests for the bootstrap intervals of evaluation/statistics.py."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.evaluation.statistics import (
    Pairs,
    average_interval,
    difference_interval,
    wilson_interval,
)

COUNTS = st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def half_width(interval) -> float:
    low, high = interval
    return (high - low) / 2


def test_one_task_agrees_with_the_textbook() -> None:
    low, high = average_interval([(300, 1000)], [1.0])

    error = 1.96 * sqrt(0.3 * 0.7 / 1000)
    assert (low, high) == pytest.approx((0.3 - error, 0.3 + error), abs=0.002)


def test_tasks_are_drawn_within_themselves() -> None:
    easy_and_impossible = average_interval([(99, 100), (1, 100)], [0.5, 0.5])

    # Drawn across tasks it would be 1.96 sqrt(0.25 / 200) = 0.069.
    assert half_width(easy_and_impossible) == pytest.approx(
        1.96 * sqrt(2 * 0.25 * 0.0099 / 100), abs=0.003
    )


def test_weights_decide_whose_spread_counts() -> None:
    counts = [(50, 100), (5000, 10_000)]

    assert half_width(average_interval(counts, [0.0, 1.0])) == pytest.approx(0.0098, abs=0.001)
    assert half_width(average_interval(counts, [1.0, 0.0])) == pytest.approx(0.098, abs=0.006)


def test_the_same_counts_give_the_same_interval() -> None:
    counts = [(3, 10), (7, 10)]

    assert average_interval(counts, [0.5, 0.5]) == average_interval(counts, [0.5, 0.5])


@pytest.mark.parametrize("successes", [0, 10])
def test_episodes_that_all_ended_alike_are_not_taken_for_certainty(successes) -> None:
    counts = [(successes, 10), (successes, 10)]

    assert average_interval(counts, [0.5, 0.5]) == wilson_interval(2 * successes, 20)


def test_tasks_that_never_or_always_succeed_leave_doubt_too() -> None:
    counts = [(1, 1), (0, 1), (1, 1), (0, 1)]

    assert average_interval(counts, [0.25] * 4) == wilson_interval(2, 4)


@settings(max_examples=30)
@given(st.lists(COUNTS, min_size=1, max_size=5))
def test_an_interval_holds_its_average(counts) -> None:
    low, high = average_interval(counts, [1 / len(counts)] * len(counts))

    average = np.mean([successes / episodes for successes, episodes in counts])
    assert 0 <= low <= average + 1e-9
    assert average - 1e-9 <= high <= 1


@pytest.mark.slow  # three thousand bootstraps
def test_nineteen_of_twenty_intervals_hold_the_truth() -> None:
    rates = np.array([0.3, 0.6, 0.8, 0.9])
    rng = np.random.default_rng(0)

    held = 0
    for _ in range(500):
        successes = rng.binomial(50, rates)
        low, high = average_interval([(int(one), 50) for one in successes], [0.25] * 4)
        held += low <= rates.mean() <= high

    assert 0.92 <= held / 500 <= 0.98


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ConfigError, match="3 successes of 2 episodes"):
        average_interval([(1, 2), (3, 2)], [0.5, 0.5])


def pairs(only_a, only_b, same) -> Pairs:
    return Pairs(both=same, only_a=only_a, only_b=only_b, neither=0)


def test_a_difference_agrees_with_the_textbook() -> None:
    low, high = difference_interval([pairs(100, 200, 700)])

    error = 1.96 * sqrt((0.3 - 0.1**2) / 1000)
    assert (low, high) == pytest.approx((0.1 - error, 0.1 + error), abs=0.003)


def test_pairing_narrows_a_difference() -> None:
    alike = difference_interval([pairs(0, 10, 90)])  # 45 of 100 against 55 of 100, say

    assert half_width(alike) < 0.07  # unpaired it would be 0.138


def test_a_difference_is_averaged_over_tasks_and_not_over_episodes() -> None:
    low, high = difference_interval([pairs(0, 10, 0), pairs(0, 0, 1000)])

    assert (low, high) == (0.5, 0.5)


def test_swapping_the_sides_turns_the_sign() -> None:
    low, high = difference_interval([pairs(5, 20, 25)])
    other_low, other_high = difference_interval([pairs(20, 5, 25)])

    assert (low, high) == pytest.approx((-other_high, -other_low), abs=0.03)
