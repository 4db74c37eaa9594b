"""Tests for evaluation/cluster.py."""

import os
import sys

import pytest
from fake_evaluations import FakeJob, make_player

from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.demonstrations import Plan, collect
from tinyvla_gym.demonstrations.playing import ExpertPlayer
from tinyvla_gym.envs.registration import REACH_ID
from tinyvla_gym.errors import ConfigError, MissingExtraError, TinyVLAError
from tinyvla_gym.evaluation.cluster import RayCrew
from tinyvla_gym.evaluation.evaluate import Protocol, evaluate
from tinyvla_gym.evaluation.playing import ShardPlayer


def test_without_ray_the_remedy_is_said(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(MissingExtraError, match=r"tinyvla-gym\[ray\]"):
        RayCrew(make_player, 1)


@pytest.mark.slow  # starts a cluster
class TestOnACluster:
    """With the real Ray, on this machine."""

    @pytest.fixture(autouse=True)
    def ray(self, monkeypatch):
        monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        return pytest.importorskip("ray", reason="the extra ray is not installed")

    def test_results_are_those_of_processes_here(self) -> None:
        protocol = Protocol(suite="reach", episodes=60, horizon=5)
        heard = []
        here = evaluate("random", protocol)

        with RayCrew(ShardPlayer, 2) as crew:
            there = evaluate(
                "random",
                protocol,
                crew=crew,
                on_episode=lambda task, outcome: heard.append(outcome.seed),
            )

        assert there.tasks["toy-reach"].outcomes == here.tasks["toy-reach"].outcomes
        assert there.workers == 2
        assert sorted(heard) == list(range(1_000_000, 1_000_060))

    def test_demonstrations_are_those_of_this_process(self, tmp_path) -> None:
        plan = Plan(episodes=3, horizon=40, linger=0)
        collect([REACH_ID], tmp_path / "here", plan)

        with RayCrew(ExpertPlayer, 2) as crew:
            collect([REACH_ID], tmp_path / "there", plan, crew=crew)

        here, there = Dataset(tmp_path / "here"), Dataset(tmp_path / "there")
        assert here.fingerprint() == there.fingerprint()

    def test_failures_are_named(self) -> None:
        with RayCrew(make_player, 2) as crew:
            with pytest.raises(TinyVLAError, match="push: ValueError: the gripper fell off"):
                list(crew.play([FakeJob("push", "fail")], lambda task, outcome: None))
            with pytest.raises(TinyVLAError, match="push: the worker died"):
                list(crew.play([FakeJob("push", "be killed")], lambda task, outcome: None))

    def test_a_cluster_that_is_not_there_is_named(self) -> None:
        with pytest.raises(ConfigError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
            RayCrew(make_player, 1, address="127.0.0.1:1")


def test_no_workers_are_refused() -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")

    with pytest.raises(ConfigError, match="workers must be at least 1, got 0"):
        RayCrew(make_player, 0)
