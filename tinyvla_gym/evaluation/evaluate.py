"""Plays a policy over a suite of tasks and counts successes."""

import multiprocessing as mp
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import gymnasium as gym

from tinyvla_gym.envs.registration import register_all
from tinyvla_gym.errors import ConfigError, TinyVLAError
from tinyvla_gym.evaluation.agents import make_agent, open_policy
from tinyvla_gym.evaluation.results import Results, TaskResult
from tinyvla_gym.evaluation.suites import suite_tasks
from tinyvla_gym.events import Listener, Outcome
from tinyvla_gym.loop import rollouts
from tinyvla_gym.video import VideoListener

EVALUATION_SEED = 1_000_000
"""Evaluation seeds begin here; nothing trained may ever have seen one."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Everything but the policy that a success rate depends on.

    Attributes:
        suite: See ``suite_tasks``.
        episodes: Per task.
        seed: The first episode's; the others follow.
        horizon: Control ticks per episode; the env's own when None, 500 for MetaWorld.
        instructions: ``default``, ``train``, ``heldout``, or ``blank`` for an empty sentence.
        execute: Actions per chunk; the policy's own choice when None.
        parallel: Envs per process whose plans share a batch.
    """

    suite: str
    episodes: int = 50
    seed: int = EVALUATION_SEED
    horizon: int | None = None
    instructions: str = "default"
    execute: int | None = None
    parallel: int = 10

    def __post_init__(self) -> None:
        for name in ("episodes", "parallel"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}.")


@dataclass(frozen=True, kw_only=True)
class _Job:
    policy: str
    task: str
    env_id: str
    protocol: Protocol
    video: str | None
    any_profile: bool


EpisodeHeard = Callable[[str, Outcome], None]


def evaluate(
    policy: str,
    protocol: Protocol,
    *,
    videos: Path | None = None,
    workers: int = 1,
    any_profile: bool = False,
    on_episode: EpisodeHeard = lambda _task, _outcome: None,
) -> Results:
    """Plays every task of a suite and counts.

    The result does not depend on ``workers``: an episode follows from its seed, and plans are
    always computed in batches of ``protocol.parallel``.

    Args:
        policy: ``expert``, ``random``, or what ``load_policy`` takes.
        protocol: Tasks, seeds, sentences.
        videos: Films each task's first episode into this folder.
        workers: Processes; each plays whole tasks with one torch thread.
        any_profile: Allow pictures drawn otherwise than those the policy was trained on.
        on_episode: Told of every episode as it ends, in any order.

    Returns:
        Counts, intervals and what they depend on.

    Raises:
        TinyVLAError: If the policy cannot be loaded or does not fit the suite's envs.
    """
    if workers < 1:
        raise ConfigError(f"workers must be at least 1, got {workers}.")
    jobs = [
        _Job(
            policy=policy,
            task=task,
            env_id=env_id,
            protocol=protocol,
            video=str(videos / f"{task}.mp4") if videos else None,
            any_profile=any_profile,
        )
        for task, env_id in suite_tasks(protocol.suite).items()
    ]
    began_s = time.perf_counter()
    if workers == 1:
        done = [_play(job, on_episode) for job in jobs]
    else:
        done = _play_in_processes(jobs, min(workers, len(jobs)), on_episode)
    return Results(
        policy=policy,
        protocol=asdict(protocol),
        tasks={result.task: result for result in done},
        seconds=time.perf_counter() - began_s,
        workers=workers,
        versions=_versions(),
    )


def _play(job: _Job, on_episode: EpisodeHeard) -> TaskResult:
    protocol = job.protocol
    blank = protocol.instructions == "blank"
    policy = open_policy(job.policy)
    options = {
        **(policy.spec.env_options if policy else {}),
        "instructions": "default" if blank else protocol.instructions,
    }
    if protocol.horizon is not None:
        options["horizon"] = protocol.horizon
    count = min(protocol.parallel, protocol.episodes)
    envs = [gym.make(job.env_id, **options) for _ in range(count)]
    agent = make_agent(
        job.policy, policy, envs[0], execute=protocol.execute, pad_to=protocol.parallel
    )
    seeds = range(protocol.seed, protocol.seed + protocol.episodes)
    listeners: list[list[Listener]] = [[] for _ in seeds]
    if job.video:
        world: Any = envs[0].unwrapped
        film = VideoListener(job.video, interface=world.interface, frame=world.render)
        listeners[0].append(film)
    began_s = time.perf_counter()
    # The expert looks at one env's simulator, so it plays alone.
    outcomes = rollouts(
        envs[:1] if job.policy == "expert" else envs,
        agent,
        list(seeds),
        options=[{"instruction": ""}] * len(seeds) if blank else None,
        listeners=listeners,
        on_outcome=lambda _, outcome: on_episode(job.task, outcome),
        any_profile=job.any_profile,
    )
    result = TaskResult.from_outcomes(
        job.task,
        outcomes,
        horizon=envs[0].unwrapped.horizon,  # pyright: ignore[reportAttributeAccessIssue]
        plans_ms=policy.plans_ms if policy else [],
        seconds=time.perf_counter() - began_s,
    )
    for env in envs:
        env.close()
    return result


def _play_in_processes(
    jobs: list[_Job], workers: int, on_episode: EpisodeHeard
) -> list[TaskResult]:
    """Hands jobs to worker processes as they become free; one that dies is an error, no hang."""
    context = mp.get_context("spawn")
    waiting, results = list(enumerate(jobs)), dict[int, TaskResult]()
    running: dict[Connection, tuple[int, Any]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                index, job = waiting.pop(0)
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(job, theirs), daemon=True)
                process.start()
                theirs.close()
                running[ours] = (index, process)
            for pipe in wait(list(running)):
                index, process = running[pipe]  # pyright: ignore[reportArgumentType]
                try:
                    kind, content = pipe.recv()  # pyright: ignore[reportAttributeAccessIssue]
                except EOFError:
                    kind, content = "died", None
                if kind == "episode":
                    on_episode(jobs[index].task, content)
                    continue
                process.join()
                del running[pipe]  # pyright: ignore[reportArgumentType]
                if kind == "error":
                    raise content
                if kind == "died":
                    raise TinyVLAError(
                        f"The worker for {jobs[index].task} died with exit code "
                        f"{process.exitcode}; the machine may be out of memory."
                    )
                results[index] = content
    finally:
        for _, process in running.values():
            process.terminate()
    return [results[index] for index in range(len(jobs))]


def _work(job: _Job, pipe: Connection) -> None:
    """A worker process: one job, reported episode by episode."""
    os.environ["OMP_NUM_THREADS"] = "1"
    register_all()
    try:
        result = _play(job, lambda _, outcome: pipe.send(("episode", outcome)))
        pipe.send(("result", result))
    except Exception as error:  # told to the parent, who raises it
        known = isinstance(error, TinyVLAError)
        told = str(error) if known else f"{type(error).__name__}: {error}"
        pipe.send(("error", TinyVLAError(f"{job.task}: {told}")))
    finally:
        pipe.close()


def _versions() -> dict[str, str]:
    packages = ("tinyvla-gym", "gymnasium", "metaworld", "mujoco", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
