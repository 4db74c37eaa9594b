"""Every registered id keeps every promise, and no check warns: warnings are errors here."""

import gymnasium as gym
import pytest

from tinyvla_gym.contracts import check_env
from tinyvla_gym.envs.registration import METAWORLD_TASKS, REACH_ID, RIG_IDS, metaworld_id

MT10 = (
    *("reach", "push", "pick-place", "door-open", "drawer-open", "drawer-close"),
    *("button-press-topdown", "peg-insert-side", "window-open", "window-close"),
)
ABSOLUTE_POSES = pytest.mark.filterwarnings(
    # Actions in metres are neither symmetric nor within [-1, 1], and should not be.
    "ignore:.*we recommend using a symmetric and normalized space:UserWarning"
)
BLIND = [task for task in METAWORLD_TASKS if task not in MT10]


def test_every_id_is_checked_below() -> None:
    ours = {name for name in gym.registry if name.startswith("TinyVLA/")}

    assert ours == {REACH_ID, *RIG_IDS, *map(metaworld_id, (*MT10, *BLIND))}  # rigs: envs/rig


@ABSOLUTE_POSES
@pytest.mark.parametrize("mode", ["native", "ee"])
def test_the_toy_keeps_every_promise(mode: str) -> None:
    check_env(gym.make(REACH_ID, action_mode=mode))


@pytest.mark.parametrize("task", MT10)
def test_metaworld_keeps_every_promise(task: str) -> None:
    check_env(
        gym.make(
            metaworld_id(task), cameras={"corner": 16, "topview": 16}, horizon=5, render_size=16
        )
    )


@pytest.mark.parametrize("task", BLIND)
def test_the_other_tasks_keep_every_promise_that_needs_no_picture(task: str) -> None:
    check_env(gym.make(metaworld_id(task), cameras={}, horizon=5), skip_render_check=True)


@ABSOLUTE_POSES
def test_metaworld_keeps_every_promise_with_absolute_poses() -> None:
    env = gym.make(metaworld_id("drawer-open"), cameras={"corner": 16}, horizon=5, action_mode="ee")
    check_env(env, skip_render_check=True)
