"""What a collecting worker does: it plays an expert on one seed, and hands over what it saw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinyvla_gym.chunking import ExpertAgent
from tinyvla_gym.data.episode import Episode
from tinyvla_gym.data.recorder import Recorder
from tinyvla_gym.demonstrations.plan import Plan
from tinyvla_gym.envs.make import make_env
from tinyvla_gym.events import Listener, Outcome
from tinyvla_gym.loop import rollout
from tinyvla_gym.wrappers import ActionNoise

_PLAN_STREAM = 1  # keeps these draws apart from the env's and the noise's
_LATEST_PROGRESS = 0.7


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One seed of one env, a ``Job``; everything about the episode follows from it.

    Attributes:
        task: The env's Gymnasium id.
        seed: The episode's.
        plan: How it is played.
        env_options: Keyword arguments for ``gym.make``.
    """

    task: str
    seed: int
    plan: Plan
    env_options: dict[str, Any]


class ExpertPlayer:
    """Plays attempts, a ``Player``; it keeps its env as long as the next attempt is in the same."""

    def __init__(self) -> None:
        self._env: Any = None
        self._made_for: tuple[str, dict[str, Any]] | None = None

    def __call__(self, job: Attempt, on_episode: Callable[[str, Outcome], None]) -> Episode | None:
        """Plays an attempt; returns what is to be kept, or None if the expert failed.

        Pictures cost most, and of failures none is kept: so it plays blind first.
        """
        env = self._env_of(job)
        world, plan = env.unwrapped, job.plan
        rng = np.random.default_rng((job.seed, _PLAN_STREAM))
        options = _midway(world, plan, job.seed, rng)
        noisy = rng.random() < plan.noisy_frac
        played = _with_noise(env, plan) if noisy else env

        def play(listeners: Sequence[Listener] = ()) -> Outcome:
            return rollout(
                played, ExpertAgent(env), seed=job.seed, options=options, listeners=listeners
            )

        kept = _Kept()
        outcome = play()
        if outcome.success:
            outcome = play([Recorder(kept, task=getattr(world, "task", ""))])
        on_episode(job.task, outcome)
        return kept.episodes[0] if kept.episodes else None

    def close(self) -> None:
        """Closes the env that was played last."""
        if self._env is not None:
            self._env.close()
        self._env = self._made_for = None

    def _env_of(self, job: Attempt) -> Any:
        wanted = job.task, job.env_options
        if self._made_for != wanted:
            self.close()
            self._env, self._made_for = make_env(job.task, **job.env_options), wanted
        return self._env


@dataclass
class _Kept:
    """An ``EpisodeSink`` in memory."""

    episodes: list[Episode] = field(default_factory=list)

    def add(self, episode: Episode) -> None:
        self.episodes.append(episode)


def _with_noise(env: Any, plan: Plan) -> ActionNoise:
    motions = len(env.unwrapped.interface.action) - 1
    return ActionNoise(
        env,
        std=[plan.noise_std] * motions + [0.0],
        hold=plan.noise_hold,
        calm_frac=plan.noise_calm_frac,
    )


def _midway(world: Any, plan: Plan, seed: int, rng: np.random.Generator) -> dict[str, Any] | None:
    """Reset options that start every so-manieth episode of a drawer or window midway."""
    if not getattr(world, "can_progress", False):
        return None
    before, after = (int(plan.progress_frac * count) for count in (seed, seed + 1))
    if before == after:
        return None
    return {"progress": float(rng.uniform(0, _LATEST_PROGRESS)), "goal_marker": False}
