"""Tests for policies/normalize.py."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.normalize import Normalizer

STATE, ACTION = ("x_m", "y_m"), ("dx_m", "dy_m", "close_frac")
NUMBERS = st.floats(-100, 100, width=32)
STATES = arrays(np.float32, st.tuples(st.integers(1, 20), st.just(2)), elements=NUMBERS)
ACTIONS = arrays(np.float32, st.tuples(st.integers(1, 20), st.just(3)), elements=NUMBERS)


def measured(state=None, action=None):
    state = np.zeros((1, 2), np.float32) if state is None else state
    action = np.zeros((1, 3), np.float32) if action is None else action
    return Normalizer.from_data(STATE, state, ACTION, action)


@given(ACTIONS)
def test_actions_come_back(action) -> None:
    normalizer = measured(action=action)

    normal = normalizer.action(action)
    physical = normalizer.to_physical(normal)

    assert normal.dtype == physical.dtype == np.float32
    assert np.abs(normal).max() <= 1 + 1e-6
    np.testing.assert_allclose(physical, action, atol=2e-4)


@given(ACTIONS, arrays(np.float32, (4, 3), elements=st.floats(-1, 1, width=32)))
def test_the_unit_cube_fills_the_datas_range_and_no_more(action, normal) -> None:
    normalizer = measured(action=action)

    physical = normalizer.to_physical(normal)

    assert (physical >= action.min(0) - 0.0051).all()  # half the smallest range
    assert (physical <= action.max(0) + 0.0051).all()
    ends = normalizer.to_physical(np.float32([[-1] * 3, [1] * 3]))
    np.testing.assert_allclose(ends, [normalizer.action_low, normalizer.action_high], atol=1e-5)


@given(STATES)
def test_states_get_mean_zero_and_at_most_deviation_one(state) -> None:
    normal = measured(state=state).state(state)

    assert normal.dtype == np.float32
    np.testing.assert_allclose(normal.mean(0), 0, atol=2e-3)
    assert (normal.std(0) <= 1 + 1e-3).all()


def test_known_statistics() -> None:
    state = np.float32([[0, 10], [2, 10]])
    action = np.float32([[-1, 0, 3], [1, 0, 5]])

    normalizer = measured(state, action)

    np.testing.assert_allclose(normalizer.state(np.float32([3, 10.02])), [2, 2], rtol=1e-4)
    np.testing.assert_allclose(normalizer.action(np.float32([0.5, 0, 3])), [0.5, 0, -1])
    np.testing.assert_allclose(normalizer.action_low, [-1, -0.005, 3])
    np.testing.assert_allclose(normalizer.action_high, [1, 0.005, 5])


@given(st.floats(-100, 100, width=32))
def test_an_entry_that_never_moves_is_zero_and_stays_where_it_is(value) -> None:
    still = np.full((7, 3), value, np.float32)
    normalizer = measured(np.full((7, 2), value, np.float32), still)

    np.testing.assert_allclose(normalizer.action(still), 0, atol=4e-3)
    np.testing.assert_allclose(normalizer.state(np.full(2, value, np.float32)), 0, atol=4e-3)
    np.testing.assert_allclose(normalizer.to_physical(np.zeros(3, np.float32)), value, atol=1e-5)
    assert np.abs(normalizer.to_physical(np.ones(3, np.float32)) - value).max() < 0.0051


@given(STATES, ACTIONS)
def test_statistics_survive_json(state, action) -> None:
    normalizer = measured(state, action)

    facts = json.loads(json.dumps(normalizer.to_dict()))
    again = Normalizer.from_dict(facts, state_names=STATE, action_names=ACTION)

    assert again.to_dict() == normalizer.to_dict()
    np.testing.assert_array_equal(again.action(action), normalizer.action(action))
    np.testing.assert_array_equal(again.state(state), normalizer.state(state))


@given(ACTIONS)
def test_leading_dimensions_are_free(action) -> None:
    normalizer = measured(action=action)

    one_by_one = np.stack([normalizer.action(row) for row in action])

    np.testing.assert_array_equal(normalizer.action(action[None, None])[0, 0], one_by_one)


def test_statistics_of_other_entries_name_both_sides() -> None:
    facts = measured().to_dict()

    with pytest.raises(ConfigError, match=r"state statistics for x_m, y_m, the interface has q1\."):
        Normalizer.from_dict(facts, state_names=["q1"], action_names=ACTION)
    with pytest.raises(ConfigError, match=r"action statistics for .*, the interface has close"):
        Normalizer.from_dict(facts, state_names=STATE, action_names=ACTION[::-1])


@pytest.mark.parametrize("part", ["state", "action"])
def test_missing_statistics_name_both_sides(part) -> None:
    facts = measured().to_dict()
    del facts[part]

    with pytest.raises(ConfigError, match=f"{part} statistics for nothing, the interface has"):
        Normalizer.from_dict(facts, state_names=STATE, action_names=ACTION)


BROKEN = {
    "no mean": lambda facts: facts["state"]["x_m"].pop("mean"),
    "no high": lambda facts: facts["action"]["dx_m"].pop("high"),
    "a word": lambda facts: facts["state"]["y_m"].update(std="wide"),
    "a list": lambda facts: facts.update(state=list(facts["state"])),
    "a std of 0": lambda facts: facts["state"]["y_m"].update(std=0.0),
    "an empty range": lambda facts: facts["action"]["dy_m"].update(low=1.0, high=1.0),
    "a range that is no number": lambda facts: facts["action"]["dy_m"].update(low=float("nan")),
}


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN)
def test_statistics_that_cannot_be_used_are_refused(spoil) -> None:
    facts = measured().to_dict()
    spoil(facts)

    with pytest.raises(ConfigError, match=r"The normaliser (wants mean and std|divides by)"):
        Normalizer.from_dict(facts, state_names=STATE, action_names=ACTION)
