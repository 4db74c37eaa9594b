"""Plays a policy over a suite of tasks and counts successes."""

import logging
import platform
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tinyvla_gym.data.atomic import written_whole
from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.evaluation.agents import SCRIPTED
from tinyvla_gym.evaluation.playing import Played, Shard, ShardPlayer
from tinyvla_gym.evaluation.processes import Crew, EpisodeHeard, ProcessCrew
from tinyvla_gym.evaluation.protocols import EVALUATION_SEED, Protocol
from tinyvla_gym.evaluation.results import Results, TaskResult
from tinyvla_gym.evaluation.shards import ShardFolder
from tinyvla_gym.evaluation.suites import suite_tasks
from tinyvla_gym.policies.checkpoint import fingerprint
from tinyvla_gym.policies.load import bundled, checkpoint_folder

__all__ = ["EVALUATION_SEED", "Protocol", "evaluate"]

SHARD_EPISODES = 25
"""Episodes that a worker plays without putting down what came of them."""

PACKAGES = (
    *("tinyvla-gym", "gymnasium", "metaworld", "mujoco", "numpy"),
    *("onnxruntime", "torch"),  # one of them plans
)
"""Packages whose versions are written beside every result, where they are installed."""

_LOG = logging.getLogger(__name__)


def evaluate(
    policy: str,
    protocol: Protocol,
    *,
    videos: Path | None = None,
    workers: int = 1,
    crew: Crew | None = None,
    shards: Path | None = None,
    resume: bool = False,
    any_profile: bool = False,
    on_episode: EpisodeHeard = lambda _task, _outcome: None,
) -> Results:
    """Plays every task of a suite and counts.

    The result depends neither on who plays nor on how often it was broken off: an episode
    follows from its seed, episodes are dealt out in shards that are always the same, and plans
    are always computed in batches of ``protocol.parallel``.

    Args:
        policy: ``expert``, ``random``, or what ``load_policy`` takes.
        protocol: Tasks, seeds, sentences and every other condition.
        videos: Films each task's first episode, and its first failure, into this folder.
        workers: Processes, each with one torch thread, if no ``crew`` is given.
        crew: Who plays instead; its players are ``ShardPlayer``s.
        shards: Keeps finished shards in this folder; see ``ShardFolder``.
        resume: Go on with the shards that are there.
        any_profile: Allow pictures drawn otherwise than those the policy was trained on.
        on_episode: Told of every episode as it ends, in any order, and of none twice.

    Returns:
        Counts, intervals and what they depend on.

    Raises:
        TinyVLAError: If the policy cannot be loaded or does not fit the suite's envs.
    """
    jobs = _deal(policy, protocol, any_profile=any_profile)
    facts = {
        "policy": policy,
        "fingerprint": policy_fingerprint(policy),
        "protocol": protocol.to_dict(),
        "any_profile": any_profile,
        "versions": versions(),
    }
    folder = ShardFolder(shards) if shards else None
    if folder:
        folder.open(facts, resume=resume)
    began_s = time.perf_counter()
    with ProcessCrew(ShardPlayer, workers) if crew is None else nullcontext(crew) as playing:
        played = _play(jobs, playing, folder, on_episode)
        results = Results(
            policy=policy,
            fingerprint=facts["fingerprint"],
            protocol=facts["protocol"],
            tasks=_counted(played),
            seconds=time.perf_counter() - began_s,
            workers=playing.workers,
            versions=facts["versions"],
        )
        if videos:
            _film(results, jobs, playing, videos)
    return results


def _deal(policy: str, protocol: Protocol, *, any_profile: bool) -> list[Shard]:
    """Cuts a suite into shards, the same for any number of workers."""
    tasks = suite_tasks(protocol.suite)
    if protocol.instructions == "file" and (untold := set(tasks) - protocol.sentences.keys()):
        raise ConfigError(f"There is no sentence for {', '.join(sorted(untold))}.")
    size = max(SHARD_EPISODES, protocol.parallel)
    return [
        Shard(
            policy=policy,
            task=task,
            env_id=env_id,
            protocol=protocol,
            first=first,
            episodes=min(size, protocol.episodes - first),
            any_profile=any_profile,
        )
        for task, env_id in tasks.items()
        for first in range(0, protocol.episodes, size)
    ]


def _play(
    jobs: Sequence[Shard], crew: Crew, folder: ShardFolder | None, on_episode: EpisodeHeard
) -> list[Played]:
    known = [folder.load(job.task, job.first) if folder else None for job in jobs]
    for shard in known:
        for outcome in shard.outcomes if shard else ():
            on_episode(shard.task, outcome)  # pyright: ignore[reportOptionalMemberAccess]
    missing = [place for place, shard in enumerate(known) if shard is None]
    for index, shard in crew.play([jobs[place] for place in missing], on_episode):
        known[missing[index]] = shard
        if folder:
            folder.save(shard)
    return [shard for shard in known if shard is not None]


def _counted(played: Sequence[Played]) -> dict[str, TaskResult]:
    tasks: dict[str, list[Played]] = {}
    for shard in played:
        tasks.setdefault(shard.task, []).append(shard)
    return {
        task: TaskResult.from_outcomes(
            task,
            [outcome for shard in shards for outcome in shard.outcomes],
            horizon=shards[0].horizon,
            plans_ms=[ms for shard in shards for ms in shard.plans_ms],
            jerks_m_s3=[jerk for shard in shards for jerk in shard.jerks_m_s3],
            seconds=sum(shard.seconds for shard in shards),
        )
        for task, shards in tasks.items()
    }


def _film(results: Results, jobs: Sequence[Shard], crew: Crew, videos: Path) -> None:
    """Plays each task's first episode again, and its first failure, to film them."""
    first = {job.task: job for job in jobs if job.first == 0}
    wanted: dict[Path, tuple[Shard, int]] = {}
    for task, result in results.tasks.items():
        wanted[film_path(videos, task)] = first[task], 0
        failures = [place for place, one in enumerate(result.outcomes) if not one.success]
        if failures and failures[0]:
            wanted[film_path(videos, task, failure=True)] = first[task], failures[0]
    wanted = {path: one for path, one in wanted.items() if not path.exists()}
    shots = [
        Shard(**{**vars(job), "first": place, "episodes": 1, "film": True})
        for job, place in wanted.values()
    ]
    for index, shot in crew.play(shots, lambda _task, _outcome: None):
        path, (_, place) = list(wanted.items())[index]
        if shot.outcomes[0] != results.tasks[shot.task].outcomes[place]:
            _LOG.warning("%s ends otherwise when it is filmed; there is no film.", shot.task)
            continue
        with written_whole(path) as partial:
            partial.write_bytes(shot.film)


def film_path(videos: Path, task: str, *, failure: bool = False) -> Path:
    """Where the film of a task's first episode is, or that of its first failure beyond it."""
    return videos / f"{task}{'-failure' if failure else ''}.mp4"


def policy_fingerprint(policy: str) -> str:
    """See ``fingerprint``; empty for what has no weights here."""
    if policy in SCRIPTED or "://" in policy:  # a server's weights are its own business
        return ""
    try:
        return fingerprint(checkpoint_folder(policy))
    except UnknownNameError as error:
        raise UnknownNameError("policy", policy, [*SCRIPTED, *bundled()]) from error


def versions() -> dict[str, str]:
    """Python's version, and those of the packages that decide what happens."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):  # torch is optional
            found[name] = version(name)
    return found
