"""The goals of MetaWorld's benchmarks, drawn without simulating, and starting from one."""

import pickle

import metaworld
import numpy as np
import pytest
from metaworld.env_dict import MT50_V3_ARGS_KWARGS

from benchmarks.equality import plain_simulator
from tinyvla_gym.envs.metaworld import MetaWorldEnv
from tinyvla_gym.envs.registration import METAWORLD_TASKS
from tinyvla_gym.envs.sawyer.goals import GOAL_SPACES, benchmark_goals
from tinyvla_gym.envs.sawyer.simulator import make_simulator
from tinyvla_gym.errors import ConfigError, UnknownNameError


def published(benchmark) -> dict[str, list[np.ndarray]]:
    """The goals that a benchmark of metaworld's holds, by task."""
    goals: dict[str, list[np.ndarray]] = {}
    for task in benchmark.train_tasks:
        name = task.env_name.removesuffix("-v3")
        goals.setdefault(name, []).append(pickle.loads(task.data)["rand_vec"])
    return goals


@pytest.mark.parametrize("task", METAWORLD_TASKS)
def test_every_task_draws_what_its_simulator_draws(task: str) -> None:
    sim = make_simulator(task)
    sim.seeded_rand_vec, sim._rehearsing = False, True  # numpy's stream, and no hand to settle
    np.random.seed(7)
    drawn = []
    for _ in range(100):
        sim.reset_model()
        drawn.append(sim._last_rand_vec)

    np.testing.assert_array_equal(benchmark_goals(7, [task])[task], drawn[1::2])


def test_fifty_tasks_are_in_the_order_of_mt50() -> None:
    assert [f"{task}-v3" for task in benchmark_goals(0)] == list(MT50_V3_ARGS_KWARGS)


@pytest.mark.parametrize("task", ["sweep-into", "box-close"])
def test_the_goals_of_one_task_are_those_of_mt1(task: str) -> None:
    theirs = published(metaworld.MT1(f"{task}-v3", seed=3))

    np.testing.assert_array_equal(benchmark_goals(3, [task])[task], theirs[task])


def test_every_task_has_a_goal_space_and_drawn_goals_pass_its_check() -> None:
    assert set(GOAL_SPACES) == set(METAWORLD_TASKS)
    for task, goals in benchmark_goals(0).items():
        assert goals.shape == (50, len(GOAL_SPACES[task].low))
        np.testing.assert_array_equal(GOAL_SPACES[task].check(goals[0].tolist()), goals[0])


def test_different_seeds_draw_different_goals_and_leave_numpys_stream_alone() -> None:
    np.random.seed(0)
    before = np.random.get_state()[1].copy()

    one, other = benchmark_goals(1, ["reach"]), benchmark_goals(2, ["reach"])

    assert (one["reach"] != other["reach"]).any()
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("task", ["drawer-open", "coffee-push"])
def test_an_episode_from_a_goal_is_the_one_that_metaworld_plays(task: str) -> None:
    mt1 = metaworld.MT1(f"{task}-v3", seed=3)
    plain = plain_simulator(task)
    plain.set_task(mt1.train_tasks[1])
    plain.reset()
    env = MetaWorldEnv(task=task, cameras={})
    env.reset(seed=0, options={"goal": benchmark_goals(3, [task])[task][1]})

    for _ in range(10):
        action = env.expert_action()
        reward, *_, info = env.advance(action)
        seen, expected, *_ = plain.step(action)

        assert reward == expected
        now_and_goal = np.r_[:18, 36:39]  # the previous half of the first is that of our reset
        np.testing.assert_array_equal(info["privileged"][now_and_goal], seen[now_and_goal])


def test_the_next_reset_draws_again() -> None:
    env = MetaWorldEnv(task="reach", cameras={})
    _, drawn = env.reset(seed=1)
    _, chosen = env.reset(seed=1, options={"goal": benchmark_goals(0)["reach"][0]})

    _, again = env.reset(seed=1)

    assert (chosen["privileged"] != drawn["privileged"]).any()
    np.testing.assert_array_equal(again["privileged"], drawn["privileged"])


@pytest.mark.parametrize(
    ("task", "goal", "complaint"),
    [
        ("reach", [0.0, 0.6, 0.02], "goal must be 6 numbers from"),
        ("drawer-open", [0.2, 0.9, 0.0], "goal must be 3 numbers from"),
        ("drawer-open", [np.nan, 0.9, 0.0], "goal must be 3 numbers from"),
        ("drawer-open", "left", "goal must be 3 numbers from"),
        ("reach", [0.0, 0.7, 0.02, 0.0, 0.8, 0.1], "at least 0.15 m from the object"),
    ],
)
def test_goals_that_metaworld_could_not_draw_are_refused(task, goal, complaint) -> None:
    with pytest.raises(ConfigError, match=complaint):
        MetaWorldEnv(task=task, cameras={}).reset(seed=0, options={"goal": goal})


def test_unknown_tasks_and_seeds_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="no MetaWorld task 'raech'"):
        benchmark_goals(0, ["raech"])
    with pytest.raises(ConfigError, match="from 0 to 4294967295, got -1"):
        benchmark_goals(-1)
