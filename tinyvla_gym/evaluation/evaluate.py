"""Plays a policy over a suite of tasks and counts successes."""

import platform
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import gymnasium as gym

from tinyvla_gym.envs.make import make_env
from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.evaluation.agents import TimedPolicy, make_agent, open_policy
from tinyvla_gym.evaluation.opposites import OPPOSITES, MovedAsAsked
from tinyvla_gym.evaluation.processes import play_in_processes
from tinyvla_gym.evaluation.results import Results, TaskResult
from tinyvla_gym.evaluation.suites import suite_tasks
from tinyvla_gym.events import Listener, Outcome
from tinyvla_gym.loop import rollouts
from tinyvla_gym.video import VideoListener

EVALUATION_SEED = 1_000_000
"""Evaluation seeds begin here; nothing trained may ever have seen one."""

INSTRUCTIONS = ("default", "train", "heldout", "blank")
"""Which sentences a policy is told; ``blank`` is none."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Everything but the policy that a success rate depends on.

    Attributes:
        suite: See ``suite_tasks``.
        episodes: Per task.
        seed: The first episode's; the others follow.
        horizon: Control ticks per episode; the env's own when None, 500 for MetaWorld.
        instructions: One of ``INSTRUCTIONS``.
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
        lowest = {"episodes": 1, "seed": 0, "horizon": 1, "execute": 1, "parallel": 1}
        for name, least in lowest.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"{name} must be at least {least}, got {value}.")
        if self.instructions not in INSTRUCTIONS:
            raise UnknownNameError("set of sentences", self.instructions, INSTRUCTIONS)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One task of an evaluation, as a worker gets it."""

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
        Job(
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
    done = play_in_processes(jobs, _play, workers, on_episode)
    return Results(
        policy=policy,
        protocol=asdict(protocol),
        tasks={result.task: result for result in done},
        seconds=time.perf_counter() - began_s,
        workers=workers,
        versions=_versions(),
    )


def _play(job: Job, on_episode: EpisodeHeard) -> TaskResult:
    protocol = job.protocol
    policy = open_policy(job.policy)
    envs = _make_envs(job, policy)
    world: Any = envs[0].unwrapped
    agent = make_agent(
        job.policy, policy, envs[0], execute=protocol.execute, pad_to=protocol.parallel
    )
    seeds = range(protocol.seed, protocol.seed + protocol.episodes)
    listeners: list[list[Listener]] = [[] for _ in seeds]
    if job.video:
        film = VideoListener(job.video, interface=world.interface, frame=world.render)
        listeners[0].append(film)
    began_s = time.perf_counter()
    outcomes = rollouts(
        envs,
        agent,
        seeds,
        options=[_reset_options(job)] * len(seeds),
        listeners=listeners,
        on_outcome=lambda _, outcome: on_episode(job.task, outcome),
        any_profile=job.any_profile,
    )
    for env in envs:
        env.close()
    return TaskResult.from_outcomes(
        job.task,
        outcomes,
        horizon=world.horizon,
        plans_ms=policy.plans_ms if policy else [],
        seconds=time.perf_counter() - began_s,
    )


def _make_envs(job: Job, policy: TimedPolicy | None) -> list[gym.Env]:
    protocol = job.protocol
    options = dict(policy.spec.env_options) if policy else {}
    if protocol.instructions != "blank":
        options["instructions"] = protocol.instructions
    if protocol.horizon is not None:
        options["horizon"] = protocol.horizon
    if job.task in OPPOSITES:
        options["terminate_on_success"] = False
    # The expert looks at one env's simulator, so it plays alone.
    count = 1 if job.policy == "expert" else min(protocol.parallel, protocol.episodes)
    envs = [make_env(job.env_id, **options) for _ in range(count)]
    if job.task in OPPOSITES:
        return [MovedAsAsked(env, OPPOSITES[job.task]) for env in envs]
    return envs


def _reset_options(job: Job) -> dict[str, Any] | None:
    options = OPPOSITES[job.task].reset_options if job.task in OPPOSITES else {}
    if job.protocol.instructions == "blank":
        options["instruction"] = ""
    return options or None


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in ("tinyvla-gym", "gymnasium", "metaworld", "mujoco", "numpy", "torch"):
        with suppress(PackageNotFoundError):  # torch is optional
            versions[name] = version(name)
    return versions
