"""Tests for evaluation/compare.py."""

from dataclasses import replace

import pytest
from fake_evaluations import a_task, some_results

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.evaluation.compare import compare, pooled

MANY = 40


def results(solved, *, task="push", **settings):
    return some_results([a_task(task, solved)], **settings)


def test_equal_seeds_are_paired() -> None:
    a = results([True] * 30 + [False] * 10)
    b = results([True] * 20 + [False] * 10 + [True] * 10)

    found = compare(a, b)

    assert (found.only_a, found.only_b, found.pairs) == (10, 10, 40)
    assert (found.difference, found.p) == (0, 1)
    assert "no difference was seen" in found.verdict()


def test_a_clear_difference_is_settled() -> None:
    found = compare(results([False] * MANY), results([True] * 20 + [False] * 20))

    assert found.difference == 0.5
    assert found.verdict() == "settled at 95 %: B is better on these tasks"
    assert "A is better" in compare(found.b, found.a).verdict()
    assert 0.3 < found.interval95[0] < 0.5 < found.interval95[1] < 0.7


def test_what_would_settle_it_is_said() -> None:
    found = compare(results([True, False] * 20), results([True] * 3 + [True, False] * 18 + [True]))

    assert found.p > 0.05
    assert "more episodes per task would settle it (80 % power)" in found.verdict()


def test_other_conditions_are_said() -> None:
    a, b = results([True] * 4), results([True] * 4, instructions="blank", horizon=300)

    departures = compare(a, b).departures

    assert "instructions: heldout against blank" in departures
    assert "horizon: None against 300" in departures
    assert "their conditions differ in" in compare(a, b).summary()[-1]
    assert compare(a, a).departures == []


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(ConfigError, match="no task and seed in common"):
        compare(results([True]), results([True], task="reach"))


def test_three_trainings_are_pooled_and_said() -> None:
    trainings = [
        replace(results([place < 2] * 5, policy=f"run{place}"), fingerprint=str(place))
        for place in range(3)
    ]

    joined = pooled(trainings)

    assert (joined.successes, joined.episodes, joined.trainings) == (10, 15, 3)
    assert "3 training seeds" in joined.summary()[-1]
    assert compare(joined, joined).pairs == 15  # each training's episodes with its own


def test_one_training_twice_is_no_second_training() -> None:
    with pytest.raises(ConfigError, match="One training was given twice"):
        pooled([results([True]), results([True])])


def test_unequal_conditions_are_not_pooled() -> None:
    with pytest.raises(ConfigError, match="equal conditions"):
        pooled([results([True]), results([True], horizon=3)])
