"""Tests for envs/make.py."""

import gymnasium as gym
import pytest
from fakes import ScriptedEnv

from tinyvla_gym.envs.make import make_env
from tinyvla_gym.envs.reach import ReachEnv
from tinyvla_gym.envs.registration import REACH_ID
from tinyvla_gym.errors import ConfigError, UnknownNameError


def test_an_env_is_made_with_its_options() -> None:
    env = make_env(REACH_ID, cameras={"top": 8}, horizon=3)

    assert isinstance(env.unwrapped, ReachEnv)
    assert (env.unwrapped.horizon, len(env.unwrapped.interface.cameras)) == (3, 1)


def test_an_env_from_outside_is_welcome_if_it_has_an_interface(monkeypatch) -> None:
    monkeypatch.setattr(gym.envs.registration, "registry", {})
    gym.register("Elsewhere/Scripted-v0", entry_point=lambda **options: ScriptedEnv(**options))

    assert isinstance(make_env("Elsewhere/Scripted-v0").unwrapped, ScriptedEnv)


@pytest.mark.parametrize(
    ("env_id", "options", "complaint"),
    [
        ("CartPole-v1", {}, "CartPole-v1 is none of our envs"),
        ("TinyVLA/Nowhere-v0", {}, "TinyVLA/Nowhere-v0 cannot be made"),
        (REACH_ID, {"rig": "rig.yaml"}, "cannot be made: .*unexpected keyword argument 'rig'"),
    ],
)
def test_what_cannot_be_made_is_explained(env_id, options, complaint) -> None:
    with pytest.raises(ConfigError, match=complaint):
        make_env(env_id, **options)


def test_an_envs_own_complaint_comes_through() -> None:
    with pytest.raises(UnknownNameError, match="no camera 'bottom'"):
        make_env(REACH_ID, cameras={"bottom": 8})


def test_other_failures_are_not_taken_for_missing_opengl(monkeypatch) -> None:
    def fail(**options):
        raise RuntimeError("out of tune")

    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setitem(__import__("sys").modules, "mujoco", object())
    monkeypatch.setattr(gym.envs.registration, "registry", {})
    gym.register("Elsewhere/Broken-v0", entry_point=fail)

    with pytest.raises(RuntimeError, match="out of tune"):
        make_env("Elsewhere/Broken-v0")


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ConfigError, match="from 0 on, got -1"):
        make_env(REACH_ID).reset(seed=-1)
