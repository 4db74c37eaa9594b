"""Tests for evaluation/processes.py."""

import multiprocessing as mp
import time

import pytest
from fake_evaluations import FakeJob, make_player

from tinyvla_gym.errors import TinyVLAError
from tinyvla_gym.evaluation.processes import ProcessCrew


def ignore(task, outcome):
    pass


def played(jobs, workers, on_episode=ignore):
    """Results by place."""
    with ProcessCrew(make_player, workers) as crew:
        return dict(crew.play(jobs, on_episode))


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_every_result_comes_with_the_place_of_its_job(workers) -> None:
    jobs = [FakeJob(task) for task in ("reach", "push", "drawer")]

    assert played(jobs, workers) == {0: "REACH", 1: "PUSH", 2: "DRAWER"}
    assert not mp.active_children()


def test_the_crew_stays_for_the_next_jobs() -> None:
    with ProcessCrew(make_player, 2) as crew:
        crew_of = set()
        for _ in range(2):
            assert len(list(crew.play([FakeJob("reach"), FakeJob("push")], ignore))) == 2
            crew_of |= {child.pid for child in mp.active_children()}

        assert list(crew.play([], ignore)) == []

    assert len(crew_of) == 2
    assert not mp.active_children()


def test_every_episode_is_heard_of_with_its_task() -> None:
    heard = []

    played(
        [FakeJob("reach"), FakeJob("push")],
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
        played([FakeJob("push", deed), FakeJob("reach", "sleep")], 2)

    assert not mp.active_children()
    assert time.monotonic() - began_s < 60  # the sleeper would have taken 600


def test_whoever_stops_listening_stops_the_workers() -> None:
    def stop(task, outcome):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        played([FakeJob("reach", "sleep")], 1, stop)

    assert not mp.active_children()
