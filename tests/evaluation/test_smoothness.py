"""Tests for evaluation/smoothness.py."""

from dataclasses import replace

import numpy as np
import pytest
from fakes import INTERFACE, ScriptedEnv, replay

from tinyvla_gym.evaluation.smoothness import JerkListener, commanded_jerk
from tinyvla_gym.loop import rollout

HZ = 20.0
STEPS = replace(  # steps in cm, as MetaWorld takes them, and a gripper
    INTERFACE,
    action=("hand_dx_cm", "gripper_close_frac"),
)
PLACES = replace(INTERFACE, action=("tcp_x_m", "gripper_open_frac"), action_mode="ee")


def of_steps(*steps_cm):
    return commanded_jerk(np.array([(step, 0.0) for step in steps_cm]), STEPS)


def test_a_steady_or_evenly_quickening_hand_has_no_jerk() -> None:
    assert of_steps(1, 1, 1, 1) == 0
    assert of_steps(0, 1, 2, 3) == pytest.approx(0)


def test_a_single_kick_has_a_known_jerk() -> None:
    # Steps 0, 1, 0 cm: the second difference is -2 cm per tick^3, at 20 Hz.
    assert of_steps(0, 1, 0) == pytest.approx(0.02 * HZ**3)


def test_steps_and_places_of_one_path_have_one_jerk() -> None:
    steps_cm = np.array([0.3, -0.2, 0.9, 0.9, -1.0, 0.1])
    places_m = np.concatenate([[0], np.cumsum(steps_cm)]) / 100

    of_places = commanded_jerk(np.stack([places_m, 0 * places_m], 1), PLACES)

    assert of_places == pytest.approx(of_steps(*steps_cm))


def test_a_snapping_gripper_does_not_count() -> None:
    steady = np.array([(1.0, -1.0), (1.0, 1.0), (1.0, -1.0), (1.0, 1.0)])

    assert commanded_jerk(steady, STEPS) == 0


def test_a_path_without_jerk_or_without_lengths_has_none() -> None:
    assert of_steps(1, 0) is None
    joints = replace(INTERFACE, action=("joint_1_rad", "joint_2_rad"))
    assert commanded_jerk(np.ones((9, 2)), joints) is None


def test_an_episode_is_measured_by_what_reached_the_robot() -> None:
    listener = JerkListener(INTERFACE)
    actions = np.array([(0, 0), (5, 0), (0, 0), (0, 0), (0, 0)], np.float32)  # clipped to 1

    rollout(ScriptedEnv(horizon=3), replay(actions), seed=0, listeners=[listener])

    assert listener.jerk_m_s3 == pytest.approx(2 * 0.1 * HZ**3)  # dm
