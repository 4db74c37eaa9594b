"""Distractors lie on the table and out of the way."""

import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyvla_gym.envs.distractors import place_distractors, taken_places
from tinyvla_gym.envs.metaworld import MetaWorldEnv

X_M, Y_M, RADIUS_M = st.floats(-0.5, 0.5), st.floats(0.4, 0.9), st.floats(0.01, 0.3)
DISCS = st.lists(st.tuples(X_M, Y_M, RADIUS_M), max_size=6)


@given(discs=DISCS, count=st.integers(0, 8), seed=st.integers(0, 100))
def test_nothing_touches_anything(discs, count: int, seed: int) -> None:
    taken = np.reshape(discs, (-1, 3))

    placed = place_distractors(count, taken, np.random.default_rng(seed))

    assert len(placed) <= count
    own = [(*one.position_m[:2], np.hypot(*one.half_size_m[:2])) for one in placed]
    everything = np.array([*discs, *own]).reshape(-1, 3)
    for index in range(len(discs), len(everything)):
        others = np.delete(everything, index, axis=0)
        apart_m = np.linalg.norm(others[:, :2] - everything[index, :2], axis=1)
        assert (apart_m > others[:, 2] + everything[index, 2]).all()
    for one in placed:
        assert one.position_m[2] == one.half_size_m[2]  # it stands on the table, which is at 0
        assert abs(one.position_m[0]) <= 0.5
        assert 0.38 <= one.position_m[1] <= 0.92


def test_an_empty_table_holds_all_and_a_full_one_none() -> None:
    full, rng = np.array([[0.0, 0.6, 2.0]]), np.random.default_rng(0)

    assert len(place_distractors(6, np.empty((0, 3)), rng)) == 6
    assert place_distractors(6, full, rng) == ()


@pytest.mark.parametrize("task", ["push", "drawer-open", "door-open"])
def test_the_tasks_things_and_the_goal_keep_their_places(task: str) -> None:
    env = MetaWorldEnv(task=task, cameras={})
    env.reset(seed=0)
    model, data, goal_m = env._sim.model, env._sim.data, env._sim._target_pos

    taken = taken_places(model, data, [goal_m])

    thing_m = env._sim._get_pos_objects()[:3]
    for place_m in (thing_m, goal_m):
        apart_m = np.linalg.norm(taken[:, :2] - place_m[:2], axis=1)
        assert (apart_m < taken[:, 2]).any()
    hand_m = data.body("hand").xpos
    assert not (np.abs(taken[:, :2] - hand_m[:2]) < 1e-6).all(1).any()
    assert mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, "tablelink") > 0
