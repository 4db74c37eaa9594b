"""Smoothing: bounded derivatives, and a stop that comes true exactly as foreseen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvla_gym.robots.smoothing import PAST, Smoother, share_of_each, share_of_vector

PERIOD_S = 0.01
MOST = 0.5 * PERIOD_S  # 0.5 rad/s, 2 rad/s2, 40 rad/s3
WINDOWS = {"speed_window_s": 0.25, "jerk_window_s": 0.1}


def play(targets, each: bool) -> tuple[np.ndarray, list[np.ndarray], Smoother]:
    """Chases a target per ten ticks; returns the commands and what was foreseen each time."""
    smoother = Smoother(np.zeros(2), period_s=PERIOD_S, **WINDOWS)
    commands, foreseen = [np.zeros(2)], []
    for target in targets:
        for _ in range(10):
            step = np.array(target) - smoother.input
            leaving = smoother.leaving_step()
            if each:
                share = share_of_each(step.tolist(), leaving.tolist(), [MOST] * 2, MOST)
            else:
                share = share_of_vector(step, leaving, MOST, MOST)
            value = smoother.input + share * step
            foreseen.append(smoother.foresee(value))
            smoother.push(value)
            commands.append(foreseen[-1][PAST])
    return np.array(commands), foreseen, smoother


TARGETS = st.lists(st.tuples(*[st.floats(-1, 1)] * 2), min_size=1, max_size=8)


@given(TARGETS, st.booleans())
@settings(max_examples=40, deadline=None)
def test_speed_acceleration_and_jerk_are_bounded(targets, each: bool) -> None:
    commands, _, _ = play(targets, each)

    padded = np.concatenate([np.zeros((3, 2)), commands])
    for order, most in ((1, 0.5), (2, 2.0), (3, 40.0)):
        change = np.diff(padded, order, axis=0) / PERIOD_S**order
        size = np.abs(change).max() if each else np.linalg.norm(change, axis=1).max()
        assert size <= most * (1 + 1e-9)


@given(TARGETS)
@settings(max_examples=20, deadline=None)
def test_a_stop_comes_true_as_it_was_foreseen(targets) -> None:
    commands, foreseen, smoother = play(targets, True)
    for expected in foreseen[-1][PAST + 1 :]:
        actual = smoother.foresee()[PAST]
        smoother.push(smoother.input)
        np.testing.assert_allclose(actual, expected, atol=1e-12)

    np.testing.assert_allclose(actual, smoother.input, atol=1e-12)
    np.testing.assert_allclose(foreseen[-1][PAST - 1], commands[-2], atol=1e-12)


@given(TARGETS)
@settings(max_examples=20, deadline=None)
def test_commands_stay_between_the_inputs(targets) -> None:
    commands, _, _ = play(targets, True)

    low, high = np.minimum(np.min(targets, axis=0), 0), np.maximum(np.max(targets, axis=0), 0)
    assert (commands >= low - 1e-9).all()
    assert (commands <= high + 1e-9).all()


@pytest.mark.parametrize("leaving", [0.0, MOST, -MOST])
def test_standing_still_is_always_allowed(leaving: float) -> None:
    huge = np.array([1e6, -1e6])
    share = share_of_each(huge.tolist(), [leaving] * 2, [MOST] * 2, MOST)

    assert 0.0 <= share <= 1.0
    assert np.abs(share * huge - leaving).max() <= MOST + abs(leaving) + 1e-12
