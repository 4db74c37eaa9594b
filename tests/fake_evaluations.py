"""Outcomes and results made up for tests, and plays that a worker process can import."""

import os
import signal
import time
from dataclasses import dataclass

from tinyvla_gym.events import Outcome

PROTOCOL = {"suite": "mt10", "episodes": 2, "seed": 1_000_000, "instructions": "heldout"}


def an_outcome(*, solved=True, seed=1_000_000, steps=40, instruction="open the drawer"):
    return Outcome(
        seed=seed,
        instruction=instruction,
        steps=steps,
        episode_return=1.5,
        success=solved,
        success_step=steps if solved else None,
    )


def a_task(task, solved, *, plans_ms=(20.0, 24.0, 90.0), **facts):
    """A task's result; ``solved`` says how each episode ended."""
    from tinyvla_gym.evaluation.results import TaskResult  # workers need not import it

    outcomes = [
        an_outcome(solved=one, seed=1_000_000 + index, **facts) for index, one in enumerate(solved)
    ]
    return TaskResult.from_outcomes(task, outcomes, horizon=500, plans_ms=plans_ms, seconds=3.0)


def some_results(tasks, *, policy="nano", fingerprint="", **protocol):
    """A whole evaluation; ``tasks`` are ``TaskResult``s."""
    from tinyvla_gym.evaluation.results import Results

    return Results(
        policy=policy,
        protocol={**PROTOCOL, **protocol},
        tasks={one.task: one for one in tasks},
        seconds=73.4,
        workers=2,
        versions={"python": "3.11.7"},
        fingerprint=fingerprint,
    )


@dataclass(frozen=True)
class FakeJob:
    """Says what the worker that gets it should do."""

    task: str
    deed: str = "work"


class HereCrew:
    """Plays in this process, which is faster than a worker."""

    def __init__(self, make_player, workers):
        self.workers = workers
        self._play = make_player()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def play(self, jobs, on_episode):
        for index, job in enumerate(jobs):
            yield index, self._play(job, on_episode)


def make_player():
    """What a worker calls once."""
    return play


def play(job, on_episode):
    """Two episodes, and then whatever the job says."""
    for seed in (1, 2):
        on_episode(job.task, an_outcome(seed=seed))
    return DEEDS[job.deed](job)


def _fail(job):
    raise ValueError("the gripper fell off")


def _sleep(job):
    time.sleep(600)


DEEDS = {
    "work": lambda job: job.task.upper(),
    "exit": lambda job: os._exit(3),
    "be killed": lambda job: os.kill(os.getpid(), signal.SIGKILL),
    "fail": _fail,
    "sleep": _sleep,
    "answer nonsense": lambda job: lambda: None,  # no pickle takes that
}
