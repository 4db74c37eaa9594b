"""Envs in worker processes: the results are those of the envs in one process."""

import os

import gymnasium as gym
import numpy as np
import pytest
from fake_worlds import make_chunked, make_moody, make_none, make_short
from gymnasium.wrappers.vector import RecordEpisodeStatistics

import tinyvla_gym  # noqa: F401 (registers the ids)
from tinyvla_gym.envs.parallel import ParallelVectorEnv
from tinyvla_gym.envs.vector import InstructedVectorEnv
from tinyvla_gym.errors import (
    ActionNotFiniteError,
    ConfigError,
    EpisodeOverError,
    InstructionError,
    UnknownNameError,
)

RNG = np.random.default_rng(0)
REACH = "TinyVLA/Reach-v0"
ONE_THREAD = ("OMP_NUM_THREADS", "LP_NUM_THREADS")


@pytest.fixture(autouse=True)
def enough_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def assert_same(one, other) -> None:
    """Equal to the last bit, type and order of keys included."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, tuple | list) or (isinstance(one, np.ndarray) and one.dtype == object):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


def pair(make_env, num_envs=3, workers=2, **settings):
    """The same vector twice, in this process and in workers."""
    apart = ParallelVectorEnv(make_env, num_envs, workers=workers, **settings)
    return InstructedVectorEnv(make_env, num_envs, **settings), apart


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_every_result_equals_that_of_envs_in_one_process(mode) -> None:
    together, apart = pair(make_short, 5, 2, autoreset_mode=mode)
    options = {
        "instruction": ["a", None, "c", None, "e"],
        "target": [None, "red", None, None, "red"],
    }
    assert_same(together.metadata, apart.metadata)
    assert together.observation_space == apart.observation_space
    assert together.action_space == apart.action_space

    starts = [
        envs.reset(seed=[7, 3, 1_000_000, 0, 5], options=options) for envs in (together, apart)
    ]
    assert_same(*starts)
    for envs in (together, apart):
        envs.set_attr("horizon", [2, 3, 3, 4, 7])  # so that some end while others go on
    ends = 0
    for _ in range(16):
        actions = RNG.uniform(-1.5, 1.5, (5, 4)).astype(np.float32)
        results = [envs.step(actions) for envs in (together, apart)]
        assert_same(*results)
        over = results[0][3]
        ends += over.sum()
        if mode == "Disabled" and over.any():
            options = {"reset_mask": over, "instruction": list("vwxyz")}
            assert_same(*(envs.reset(seed=4, options=options) for envs in (together, apart)))
    assert ends >= 16
    apart.close()


def test_metaworld_looks_the_same_in_workers() -> None:
    settings = {
        "num_envs": 2,
        "cameras": {"corner4": 32},
        "horizon": 2,
        "autoreset_mode": "SameStep",
    }
    envs = [gym.make_vec("TinyVLA/MetaWorld-reach-v3", workers=w, **settings) for w in (0, 1)]

    assert_same(*(one.reset(seed=3) for one in envs))
    for _ in range(3):
        assert_same(*(one.step(np.ones((2, 4), np.float32)) for one in envs))
    envs[1].close()


def test_calls_and_attributes_reach_the_envs() -> None:
    together, apart = pair(make_moody)
    for envs in (together, apart):
        envs.reset(seed=0)
        envs.set_attr("horizon", [10, 20, 30])
        envs.set_attr("name", "Toy")

    for name, arguments in {"expert_action": (), "observe": (), "setting": ("HOME",)}.items():
        assert_same(together.call(name, *arguments), apart.call(name, *arguments))
    assert apart.get_attr("horizon") == (10, 20, 30)
    assert apart.get_attr("name") == ("Toy",) * 3
    assert_same(together.render(), apart.render())
    assert together.np_random_seed == apart.np_random_seed
    with pytest.raises(ConfigError, match="horizon has 2 values for 3 envs"):
        apart.set_attr("horizon", [1, 2])
    apart.close()


def test_envs_are_spread_over_workers_with_one_thread_each() -> None:
    before = dict(os.environ)

    envs = ParallelVectorEnv(make_moody, 5, workers=2)

    processes = envs.call("process")
    assert [processes.index(one) for one in processes] == [0, 0, 2, 2, 2]
    assert os.getpid() not in processes
    assert all(envs.call("setting", name) == ("1",) * 5 for name in ONE_THREAD)
    assert dict(os.environ) == before
    envs.close()


def test_observations_are_fresh() -> None:
    envs = ParallelVectorEnv(make_short, 2, workers=1, autoreset_mode="SameStep")
    first, _ = envs.reset(seed=0)
    kept = {key: np.array(value) for key, value in first.items()}
    actions = np.ones((2, 4), np.float32)

    info = [envs.step(actions)[-1] for _ in range(4)][-1]
    last = info["final_obs"][0]["image_top"].copy()
    envs.step(actions)[0]["image_top"][:] = 0

    for key, value in first.items():
        np.testing.assert_array_equal(value, kept[key])
    np.testing.assert_array_equal(info["final_obs"][0]["image_top"], last)
    assert envs.step(actions)[0]["image_top"].any()
    envs.close()


def test_envs_may_be_wrapped_so_that_workers_play_chunks() -> None:
    together, apart = pair(make_chunked, autoreset_mode="SameStep")
    assert apart.action_space.shape == (3, 3, 4)

    assert_same(*(envs.reset(seed=0) for envs in (together, apart)))
    for _ in range(4):
        chunks = RNG.uniform(-1, 1, (3, 3, 4)).astype(np.float32)
        assert_same(*(envs.step(chunks) for envs in (together, apart)))
    chunks[1, 2, 3] = np.inf
    with pytest.raises(ActionNotFiniteError, match="env 1 gripper_close_frac=inf"):
        apart.step(chunks)
    apart.close()


def test_gymnasiums_own_wrappers_count_the_episodes() -> None:
    envs = RecordEpisodeStatistics(ParallelVectorEnv(make_short, 2, workers=2))
    envs.reset(seed=0)

    info = [envs.step(np.zeros((2, 4), np.float32))[-1] for _ in range(4)][-1]

    assert info["episode"]["l"].tolist() == [4, 4]
    envs.close()


def test_mistakes_are_the_same_errors_as_in_one_process() -> None:
    together, apart = pair(make_short, 2, autoreset_mode="Disabled")
    actions = np.zeros((2, 4), np.float32)
    for envs in (together, apart):
        with pytest.raises(InstructionError, match="outside printable ASCII"):
            envs.reset(options={"instruction": ["fine", "na\u00efve"]})
        with pytest.raises(ConfigError, match=r"knows no reset option \['gaol'\]"):
            envs.reset(options={"gaol": 1})
        with pytest.raises(ConfigError, match="numpy array of 2 bools"):
            envs.reset(options={"reset_mask": [True, False]})
        with pytest.raises(ConfigError, match="one or more of them True"):
            envs.reset(options={"reset_mask": np.zeros(2, bool)})
        with pytest.raises(AttributeError, match="gaol"):
            envs.get_attr("gaol")
        envs.reset(seed=0)
        for _ in range(4):
            envs.step(actions)
        with pytest.raises(EpisodeOverError, match="Env 0, 1 of 2 has no running episode"):
            envs.step(actions)
    apart.close()


def test_settings_that_make_no_sense_are_named() -> None:
    with pytest.raises(UnknownNameError, match="no camera 'side'"):
        gym.make_vec(REACH, num_envs=2, workers=2, cameras={"side": 8})
    with pytest.raises(ValueError, match="the table has no legs"):
        ParallelVectorEnv(make_none, 2, workers=2)
    with pytest.raises(ConfigError, match=r"at least one worker .* workers=-1"):
        gym.make_vec(REACH, num_envs=2, workers=-1)
    with pytest.raises(ConfigError, match=r"some time, .* timeout_s=0"):
        gym.make_vec(REACH, num_envs=2, workers=1, timeout_s=0)
    with pytest.raises(ConfigError, match="at least one, got num_envs=0"):
        gym.make_vec(REACH, num_envs=0, workers=1)


def test_more_workers_than_cores_are_warned_of_once(monkeypatch, recwarn) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)

    for _ in range(2):
        gym.make_vec(REACH, num_envs=2, workers=9).close()

    assert [str(one.message) for one in recwarn] == [
        "2 workers share 1 core: more workers than cores make nothing faster."
    ]
