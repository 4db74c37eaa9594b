"""Tests for evaluation/statistics.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.evaluation.statistics import wilson_interval

COUNTS = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("successes", "episodes", "low", "high"),
    [
        (5, 10, 23.7, 76.3),
        (8, 10, 49.0, 94.3),
        (27, 60, 33.1, 57.5),
        (30, 50, 46.2, 72.4),
        (286, 500, 52.8, 61.5),
    ],
)
def test_known_values_in_percent(successes, episodes, low, high) -> None:
    found = wilson_interval(successes, episodes)

    assert [round(100 * bound, 1) for bound in found] == [low, high]


@given(COUNTS)
def test_it_agrees_with_scipy(counts) -> None:
    wanted = binomtest(*counts).proportion_ci(0.95, method="wilson")

    assert wilson_interval(*counts) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


@given(COUNTS)
def test_it_lies_between_0_and_1_and_holds_the_rate(counts) -> None:
    successes, episodes = counts

    low, high = wilson_interval(successes, episodes)

    assert 0 <= low <= successes / episodes <= high <= 1
    assert low < high


@given(COUNTS)
def test_failures_have_the_mirrored_interval(counts) -> None:
    successes, episodes = counts

    low, high = wilson_interval(successes, episodes)

    mirrored = wilson_interval(episodes - successes, episodes)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(COUNTS)
def test_ten_times_the_episodes_say_more(counts) -> None:
    successes, episodes = counts

    low, high = wilson_interval(successes, episodes)
    sharper_low, sharper_high = wilson_interval(10 * successes, 10 * episodes)

    assert sharper_high - sharper_low < high - low


def test_no_success_starts_at_0_and_nothing_but_success_ends_at_1() -> None:
    assert wilson_interval(0, 7)[0] == 0
    assert wilson_interval(7, 7)[1] == 1


@pytest.mark.parametrize(("successes", "episodes"), [(0, 0), (3, 2), (-1, 5), (0, -1)])
def test_impossible_counts_are_refused(successes, episodes) -> None:
    with pytest.raises(ConfigError, match=f"{successes} successes of {episodes} episodes"):
        wilson_interval(successes, episodes)
