"""How MetaWorld's episodes run and end."""

import gymnasium as gym
import numpy as np
import pytest

from tinyvla_gym.envs.metaworld import HORIZON, MetaWorldEnv
from tinyvla_gym.envs.registration import METAWORLD_TASKS, metaworld_id
from tinyvla_gym.errors import ConfigError, EpisodeOverError, UnknownNameError

MT10 = (
    *("reach", "push", "pick-place", "door-open", "drawer-open", "drawer-close"),
    *("button-press-topdown", "peg-insert-side", "window-open", "window-close"),
)
STILL = np.zeros(4, np.float32)


def blind(task="reach", **settings):
    """A task without cameras, for all that has nothing to do with pictures."""
    return MetaWorldEnv(task=task, cameras={}, **settings)


def play(env, seed, ticks=HORIZON, **options):
    """Lets the expert play; returns all privileged states, shape (T, 39), and the last info."""
    _, info = env.reset(seed=seed, options=options)
    states = [info["privileged"]]
    for _ in range(ticks):
        _, terminated, truncated, info = env.advance(env.expert_action())
        states.append(info["privileged"])
        if terminated or truncated:
            break
    return np.array(states), info


@pytest.mark.parametrize("task", MT10)
def test_the_expert_solves_the_tasks_of_mt10(task: str) -> None:
    env = blind(task)

    states, info = play(env, seed=3)

    assert info["success"]
    assert len(states) < HORIZON


@pytest.mark.parametrize("task", ["reach", "drawer-open"])
def test_the_expert_solves_tasks_with_absolute_poses_as_well(task: str) -> None:
    native, ee = blind(task), blind(task, action_mode="ee")

    native_states, _ = play(native, seed=3)
    ee_states, info = play(ee, seed=3)

    assert info["success"]
    np.testing.assert_allclose(ee_states, native_states, atol=1e-3)


def test_in_ee_mode_the_tool_goes_to_the_pose_and_stays_there() -> None:
    env = blind(action_mode="ee", terminate_on_success=False)
    wanted = env.reset(seed=0)[0]["state"].copy()
    wanted[:3] = [0.15, 0.65, 0.2]
    wanted[9] = 1.0

    for _ in range(80):
        env.advance(wanted)

    state = env.observe()["state"]
    np.testing.assert_allclose(state[:3], wanted[:3], atol=0.005)
    assert state[9] > 0.9


def test_in_ee_mode_the_rotation_is_ignored() -> None:
    env = blind(action_mode="ee")
    endings = []
    for rotation in ([1, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0]):
        wanted = env.reset(seed=0)[0]["state"].copy()
        wanted[:3] += 0.02
        wanted[3:9] = rotation
        for _ in range(10):
            env.advance(wanted)
        endings.append(env.observe()["state"])

    np.testing.assert_array_equal(*endings)


def test_in_ee_mode_the_gripper_opens_and_shuts() -> None:
    env = blind(action_mode="ee", terminate_on_success=False)
    wanted = env.reset(seed=0)[0]["state"].copy()

    openings = []
    for open_frac in (0.0, 1.0):
        wanted[9] = open_frac
        for _ in range(40):
            env.advance(wanted)
        openings.append(env.observe()["state"][9])

    assert openings[0] < 0.5 < 0.9 < openings[1]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"task": "drawer-opne"}, "no MetaWorld task 'drawer-opne'. Did you mean 'drawer-open'"),
        ({"cameras": {"conrer": 32}}, "no camera 'conrer'. Did you mean 'corner'"),
        ({"render_camera": "side"}, "no camera 'side'"),
        ({"profile": "fast-9"}, "no render profile 'fast-9'"),
        ({"action_mode": "joint"}, "no action mode 'joint'"),
        ({"instructions": "test"}, "no set of sentences 'test'"),
        ({"render_mode": "human"}, "no render mode 'human'"),
        ({"render_size": 0}, "positive size, got 0 x 0"),
        ({"cameras": {"corner": (32, 0)}}, "positive size, got 32 x 0"),
        ({"horizon": 0}, "horizon of at least 1"),
        ({"linger": -1}, "cannot linger"),
    ],
)
def test_settings_that_make_no_sense_are_named(settings, complaint) -> None:
    with pytest.raises((UnknownNameError, ConfigError), match=complaint):
        MetaWorldEnv(**{"task": "reach", "cameras": {}, **settings})


def test_native_actions_are_clipped_as_metaworld_does() -> None:
    env = blind("push")
    endings = []
    for action in ([9, -9, 0.5, 9], [1, -1, 0.5, 1]):
        env.reset(seed=0)
        for _ in range(5):
            *_, info = env.advance(np.float32(action))
        endings.append(info)

    np.testing.assert_array_equal(endings[0]["sent_action"], np.float32([1, -1, 0.5, 1]))
    np.testing.assert_array_equal(endings[0]["privileged"], endings[1]["privileged"])


def test_gripper_plus_one_shuts_and_minus_one_opens() -> None:
    env = blind()
    env.reset(seed=0)
    openings = []
    for push in (1.0, -1.0):
        for _ in range(30):
            env.advance(np.float32([0, 0, 0, push]))
        openings.append(env.observe()["state"][3])

    assert openings[0] < 0.5 < 0.9 < openings[1]


def test_an_action_of_another_shape_is_refused() -> None:
    env = blind()
    env.reset(seed=0)

    with pytest.raises(ConfigError, match=r"shape \(4,\), got \(10,\)"):
        env.advance(np.zeros(10, np.float32))


def test_the_horizon_truncates_and_then_a_step_raises() -> None:
    env = blind(horizon=7)
    env.reset(seed=0)

    ends = [env.advance(STILL)[1:3] for _ in range(7)]

    assert ends == [(False, False)] * 6 + [(False, True)]
    with pytest.raises(EpisodeOverError, match="MetaWorld-reach has no running episode"):
        env.advance(STILL)


def test_the_horizon_may_exceed_metaworlds_own() -> None:
    env = blind(horizon=502)
    env.reset(seed=0)

    ends = [env.advance(STILL)[2] for _ in range(502)]

    assert ends == [False] * 501 + [True]


def test_a_step_before_the_first_reset_raises() -> None:
    with pytest.raises(EpisodeOverError, match=r"call reset\(\)"):
        blind().advance(STILL)


def test_success_ends_the_episode_unless_told_otherwise() -> None:
    ended, _ = play(blind(), seed=0)
    on, info = play(blind(horizon=100, terminate_on_success=False), seed=0)

    assert len(ended) < 80
    assert len(on) == 101
    assert info["success"]
    np.testing.assert_array_equal(on[: len(ended)], ended)


def test_a_lingering_env_plays_on_after_the_first_success() -> None:
    at_once, _ = play(blind(), seed=0)
    later, _ = play(blind(linger=5), seed=0)

    assert len(later) == len(at_once) + 5


def test_privileged_states_hold_the_goal_and_are_fresh() -> None:
    env = blind("push")
    _, first = env.reset(seed=0)
    *_, second = env.advance(STILL)

    for info in (first, second):
        assert info["privileged"].shape == (39,)
        assert info["privileged"].dtype == np.float64
        np.testing.assert_array_equal(info["privileged"][-3:], env._sim._get_pos_goal())
    first["privileged"][:] = 0
    assert second["privileged"].any()


def test_the_expert_neither_warns_nor_moves_anything() -> None:
    env = blind("drawer-open")
    env.reset(seed=0)
    before = env._sim.data.qpos.copy()

    actions = [env.expert_action() for _ in range(3)]

    np.testing.assert_array_equal(env._sim.data.qpos, before)
    np.testing.assert_array_equal(actions[0], actions[2])
    assert actions[0] in env.action_space


@pytest.mark.parametrize("mode", ["native", "ee"])
def test_states_stay_within_the_interface(mode) -> None:
    env = blind("push", action_mode=mode, terminate_on_success=False)
    env.reset(seed=0)
    space, low, high = env.observation_space["state"], env.action_space.low, env.action_space.high
    rng = np.random.default_rng(0)

    for corner in rng.integers(2, size=(10, low.size)):
        for _ in range(15):
            env.advance(np.where(corner, high, low))
            assert env.observe()["state"] in space


def test_every_task_is_registered_with_gymnasium_and_none_twice() -> None:
    ids = {name for name in gym.registry if name.startswith("TinyVLA/MetaWorld-")}

    assert ids == {metaworld_id(task) for task in METAWORLD_TASKS}
    assert len(METAWORLD_TASKS) == len(ids) == 50
    assert gym.spec(metaworld_id("reach")).max_episode_steps is None  # the env owns its horizon


def test_render_shows_the_scene_for_people() -> None:
    env = MetaWorldEnv(task="reach", cameras={}, render_size=(40, 60))
    env.reset(seed=0)

    assert env.render().shape == (40, 60, 3)
