"""What a worker does: it plays a shard, a few episodes of one task, and measures."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym

from tinyvla_gym.chunking import Agent
from tinyvla_gym.envs.make import make_env
from tinyvla_gym.evaluation.agents import SCRIPTED, TimedPolicy, make_agent, open_policy
from tinyvla_gym.evaluation.opposites import OPPOSITES, MovedAsAsked
from tinyvla_gym.evaluation.processes import EpisodeHeard
from tinyvla_gym.evaluation.protocols import Protocol
from tinyvla_gym.evaluation.smoothness import JerkListener
from tinyvla_gym.evaluation.views import ProtocolView, needs_view
from tinyvla_gym.events import Outcome
from tinyvla_gym.loop import rollouts
from tinyvla_gym.video import VideoListener


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A few episodes of one task; what they do depends on nothing outside it.

    Attributes:
        policy: What ``open_policy`` takes.
        task: Its name in the suite.
        env_id: Its Gymnasium id.
        protocol: The conditions.
        first: Place of its first episode among the task's.
        episodes: How many.
        any_profile: Allow pictures drawn otherwise than those the policy was trained on.
        film: Whether to film it; for shards of one episode.
    """

    policy: str
    task: str
    env_id: str
    protocol: Protocol
    first: int
    episodes: int
    any_profile: bool
    film: bool = False


@dataclass(frozen=True, kw_only=True)
class Played:
    """What came of a shard.

    Attributes:
        task: The shard's.
        first: The shard's.
        horizon: Control ticks after which an episode was truncated.
        outcomes: One per episode, in the order of the seeds.
        jerks_m_s3: The commanded jerk of each episode, None where there is none.
        plans_ms: Milliseconds of each plan.
        seconds: Wall-clock time.
        film: An mp4, if one was asked for.
    """

    task: str
    first: int
    horizon: int
    outcomes: tuple[Outcome, ...]
    jerks_m_s3: tuple[float | None, ...]
    plans_ms: tuple[float, ...]
    seconds: float
    film: bytes = b""

    def to_dict(self) -> dict[str, Any]:
        """Returns plain facts for JSON, without the film."""
        facts = asdict(self)
        del facts["film"]
        return facts

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Played":
        """Reads what ``to_dict`` wrote."""
        lists = {name: tuple(facts[name]) for name in ("jerks_m_s3", "plans_ms")}
        outcomes = tuple(Outcome(**one) for one in facts["outcomes"])
        return cls(**{**facts, **lists, "outcomes": outcomes})


class ShardPlayer:
    """Plays shards, and keeps the policy and the envs for the next one if they fit it."""

    def __init__(self) -> None:
        """Loads nothing yet."""
        self._policies: dict[str, TimedPolicy | None] = {}
        self._envs: list[gym.Env] = []
        self._envs_for: tuple[Any, ...] = ()

    def __call__(self, job: Shard, on_episode: EpisodeHeard) -> Played:
        """Plays a shard.

        Raises:
            TinyVLAError: If the policy cannot be loaded or does not fit the env.
        """
        if job.policy not in self._policies:
            self._policies = {job.policy: open_policy(job.policy)}
        policy = self._policies[job.policy]
        envs = self._make_envs(job, policy)
        if policy is not None:
            policy.plans_ms.clear()
        with tempfile.TemporaryDirectory() as folder:
            film = Path(folder) / "film.mp4" if job.film else None
            played = _play(job, envs, _make_agent(job, policy, envs[0]), on_episode, film)
            plans_ms = tuple(policy.plans_ms) if policy else ()
            return Played(**played, plans_ms=plans_ms, film=film.read_bytes() if film else b"")

    def _make_envs(self, job: Shard, policy: TimedPolicy | None) -> list[gym.Env]:
        # The expert looks at one env's simulator, so it plays alone.
        most = 1 if job.policy == "expert" else job.protocol.parallel
        count = min(most, job.episodes)
        wanted = (job.policy, job.task, job.env_id, job.protocol.hash)
        if wanted != self._envs_for:
            for env in self._envs:
                env.close()
            self._envs, self._envs_for = [], wanted
        while len(self._envs) < count:
            self._envs.append(make_shard_env(job, policy.spec.env_options if policy else {}))
        return self._envs[:count]


def _play(
    job: Shard, envs: list[gym.Env], agent: Agent, on_episode: EpisodeHeard, film: Path | None
) -> dict[str, Any]:
    interface = envs[0].get_wrapper_attr("interface")
    start = job.protocol.seed + job.first
    jerks = [JerkListener(interface) for _ in range(job.episodes)]
    filming = [VideoListener(film, interface=interface, frame=envs[0].render)] if film else []  # pyright: ignore[reportArgumentType]
    began_s = time.perf_counter()
    outcomes = rollouts(
        envs,
        agent,
        range(start, start + job.episodes),
        options=[_reset_options(job)] * job.episodes,
        listeners=[[jerk, *filming] for jerk in jerks],
        on_outcome=lambda _, outcome: on_episode(job.task, outcome),
        any_profile=job.any_profile,
    )
    return {
        "task": job.task,
        "first": job.first,
        "horizon": envs[0].get_wrapper_attr("horizon") - job.protocol.settle,
        "outcomes": tuple(outcomes),
        "jerks_m_s3": tuple(jerk.jerk_m_s3 for jerk in jerks),
        "seconds": time.perf_counter() - began_s,
    }


def _make_agent(job: Shard, policy: TimedPolicy | None, env: gym.Env) -> Agent:
    protocol = job.protocol
    return make_agent(
        job.policy,
        policy,
        env,
        execute=protocol.execute,
        delay=protocol.delay,
        pad_to=protocol.parallel,
    )


def make_shard_env(job: Shard, env_options: Mapping[str, Any]) -> gym.Env:
    """Makes an env as the shard's protocol wants it.

    Args:
        job: Task and protocol.
        env_options: What the policy asks for; what the protocol fixes comes first.
    """
    protocol = job.protocol
    options = dict(env_options)
    fixed = {"cameras": protocol.cameras, "profile": protocol.profile}
    options |= {name: value for name, value in fixed.items() if value is not None}
    if job.policy in SCRIPTED:
        options["cameras"] = {}  # nobody looks
    if protocol.randomize is not None:
        options["randomize"] = protocol.randomize
    if protocol.instructions in ("default", "train", "heldout"):
        options["instructions"] = protocol.instructions
    if protocol.horizon is not None:
        options["horizon"] = protocol.horizon + protocol.settle
    if not protocol.terminate_on_success or job.task in OPPOSITES:
        options["terminate_on_success"] = False
    env = make_env(job.env_id, **options)
    if job.task in OPPOSITES:
        env = MovedAsAsked(env, OPPOSITES[job.task])
    return ProtocolView(env, protocol) if needs_view(protocol) else env


def _reset_options(job: Shard) -> dict[str, Any] | None:
    protocol = job.protocol
    options = OPPOSITES[job.task].reset_options if job.task in OPPOSITES else {}
    if not protocol.goal_marker:
        options["goal_marker"] = False
    if protocol.instructions == "blank":
        options["instruction"] = ""
    if protocol.instructions == "file":
        options["instruction"] = protocol.sentences[job.task]
    return options or None
