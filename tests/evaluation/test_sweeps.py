"""Tests for evaluation/sweeps.py."""

from dataclasses import replace

import numpy as np
import pytest

from tinyvla_gym.envs.registration import metaworld_id
from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.evaluation.playing import Shard, make_shard_env
from tinyvla_gym.evaluation.protocols import Protocol
from tinyvla_gym.evaluation.sweeps import AXES, SWEEPS, sweep_protocols

PROTOCOL = Protocol(suite="mt10", episodes=5)


@pytest.mark.parametrize("name", SWEEPS)
def test_one_thing_varies_and_everything_else_stays(name) -> None:
    setting, values = SWEEPS[name]

    varied = sweep_protocols(name, PROTOCOL, horizon=50)

    assert [getattr(one, setting) for one in varied.values()] == list(values)
    for one in varied.values():
        assert replace(one, **{setting: getattr(PROTOCOL, setting)}) == PROTOCOL
    assert name in AXES


def test_values_that_a_chunk_does_not_hold_are_left_out() -> None:
    assert list(sweep_protocols("replan", PROTOCOL, horizon=16)) == ["1", "2", "4", "8", "16"]
    assert list(sweep_protocols("delay", PROTOCOL, horizon=10)) == ["0", "1", "2", "5"]


def test_the_expert_has_no_chunks_to_vary() -> None:
    with pytest.raises(ConfigError, match="there are none"):
        sweep_protocols("replan", PROTOCOL, horizon=None)
    assert len(sweep_protocols("looks", PROTOCOL, horizon=None)) == 6


def test_an_unknown_sweep_is_named() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'replan'"):
        sweep_protocols("replna", PROTOCOL, horizon=16)


def test_looks_change_what_is_seen_and_nothing_else() -> None:
    seen, states = {}, []
    protocol = replace(PROTOCOL, cameras={"corner2": 48})
    for label, varied in sweep_protocols("looks", protocol, horizon=None).items():
        job = Shard(
            policy="nano",
            task="drawer-open",
            env_id=metaworld_id("drawer-open"),
            protocol=varied,
            first=0,
            episodes=1,
            any_profile=True,
        )
        env = make_shard_env(job, {})
        observation, _ = env.reset(seed=protocol.seed)
        seen[label] = observation["image_corner2"]
        states.append(observation["state"])
        env.close()

    for state in states:
        np.testing.assert_array_equal(state, states[0])
    pictures = {picture.tobytes() for picture in seen.values()}
    assert len(pictures) == len(seen) == 6
