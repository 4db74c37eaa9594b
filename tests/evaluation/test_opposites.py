"""Tests for evaluation/opposites.py."""

import numpy as np
import pytest

from tinyvla_gym.envs.reach import ReachEnv
from tinyvla_gym.envs.sentences import sentences
from tinyvla_gym.evaluation.opposites import DISTANCE_M, OPPOSITES, MovedAsAsked, Opposite

RIGHT, LEFT = np.float32([1, 0, 0, 0]), np.float32([-1, 0, 0, 0])  # 3 cm each
STILL = np.float32([0, 0, 0, 0])


def the_hand_asked_to_go(sign):
    """The toy's hand stands in for a drawer: its x is the first privileged number."""
    opposite = Opposite(scene="", asked="drawer-open", entry=0, sign=sign)
    return MovedAsAsked(ReachEnv(cameras={"top": 8}, terminate_on_success=False), opposite)


@pytest.mark.parametrize(("action", "sign", "success"), [
    (RIGHT, 1, True), (LEFT, -1, True), (RIGHT, -1, False), (LEFT, 1, False),
])  # fmt: skip
@pytest.mark.parametrize("look", [True, False])
def test_either_way_ends_the_episode_and_only_the_asked_one_solves_it(
    action, sign, success, look
) -> None:
    env = the_hand_asked_to_go(sign)
    env.reset(seed=0)

    *_, terminated, _, info = env.step(action) if look else env.advance(action)

    assert (terminated, info["success"]) == (True, success)


def test_nothing_is_decided_before_it_moves() -> None:
    env = the_hand_asked_to_go(1)
    env.reset(seed=0)

    for action in (STILL, RIGHT / 3):
        _, _, terminated, _, info = env.step(action)

        assert (terminated, info["success"]) == (False, False)


def test_the_way_is_counted_from_where_the_episode_began() -> None:
    env = the_hand_asked_to_go(1)
    for seed in (0, 1):
        env.reset(seed=seed)
        env.step(RIGHT / 2)

        _, _, terminated, _, info = env.step(RIGHT / 2)

        assert terminated
        assert info["success"]


def test_every_scene_is_asked_for_both_ways() -> None:
    asked = [(one.scene, one.sign) for one in OPPOSITES.values()]

    assert len(set(asked)) == len(asked) == 4
    assert DISTANCE_M == 0.02


@pytest.mark.parametrize("opposite", OPPOSITES.values(), ids=OPPOSITES.keys())
def test_nothing_but_the_sentence_says_which_way(opposite) -> None:
    options = opposite.reset_options

    assert (options["progress"], options["goal_marker"]) == (0.5, False)
    assert options["instruction"] == sentences(opposite.asked)[0]
