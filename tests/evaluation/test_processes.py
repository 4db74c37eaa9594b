"""Tests for evaluation/processes.py."""

import multiprocessing as mp
import time

import pytest
from fake_evaluations import FakeJob, play

from tinyvla_gym.errors import TinyVLAError
from tinyvla_gym.evaluation.processes import play_in_processes


def ignore(task, outcome):
    pass


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_results_come_in_the_order_of_the_jobs(workers) -> None:
    jobs = [FakeJob(task) for task in ("reach", "push", "drawer")]

    assert play_in_processes(jobs, play, workers, ignore) == ["REACH", "PUSH", "DRAWER"]
    assert not mp.active_children()


def test_every_episode_is_heard_of_with_its_task() -> None:
    heard = []

    play_in_processes(
        [FakeJob("reach"), FakeJob("push")],
        play,
        2,
        lambda task, outcome: heard.append((task, outcome.seed)),
    )

    assert sorted(heard) == [("push", 1), ("push", 2), ("reach", 1), ("reach", 2)]


@pytest.mark.parametrize(
    ("deed", "complaint"),
    [
        ("exit", "push: the worker ended with exit code 3"),
        ("be killed", "push: the worker was killed by signal 9; was memory short?"),
        ("fail", "push: ValueError: the gripper fell off"),
        ("answer nonsense", "push: .*pickle"),
    ],
)
def test_a_worker_that_fails_is_named_and_the_others_are_stopped(deed, complaint) -> None:
    began_s = time.monotonic()

    with pytest.raises(TinyVLAError, match=complaint):
        play_in_processes([FakeJob("push", deed), FakeJob("reach", "sleep")], play, 2, ignore)

    assert not mp.active_children()
    assert time.monotonic() - began_s < 60  # the sleeper would have taken 600


def test_whoever_stops_listening_stops_the_workers() -> None:
    def stop(task, outcome):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play_in_processes([FakeJob("reach", "sleep")], play, 1, stop)

    assert not mp.active_children()
