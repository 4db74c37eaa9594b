"""Collects demonstrations from scripted experts into a dataset."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from tinyvla_gym.chunking import ExpertAgent
from tinyvla_gym.data.lerobot import DatasetWriter
from tinyvla_gym.data.recorder import Recorder
from tinyvla_gym.envs.make import make_env
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.events import Outcome
from tinyvla_gym.loop import rollout
from tinyvla_gym.wrappers import ActionNoise

DEMONSTRATION_SEEDS = range(100_000)
"""Demonstrations take their seeds from here; selection and evaluation from elsewhere."""

_PLAN_STREAM = 1  # keeps these draws apart from the env's and the noise's
_LATEST_PROGRESS = 0.7


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to collect per task.

    Attributes:
        episodes: Successful demonstrations to keep.
        seed: The first episode's; the others follow, and failures are skipped.
        horizon: Control ticks after which an attempt has failed.
        linger: Control ticks to go on recording after the first success.
        noise_std: Spread of the noise on motions, in the action's units; the action that is
            kept as the label is clean. The gripper is spared.
        noise_hold: Control ticks that one gust of noise lasts, on average.
        noise_calm_frac: Share of the gusts that are zero.
        noisy_frac: Share of the episodes with noise.
        progress_frac: Of tasks that can start midway (drawers, windows), the share of episodes
            that do, with the goal's marker hidden so that only the sentence says where to.
        instructions: Which sentences: default, train or heldout.
    """

    episodes: int = 50
    seed: int = 0
    horizon: int = 400
    linger: int = 10
    noise_std: float = 0.8
    noise_hold: float = 12.0
    noise_calm_frac: float = 0.6
    noisy_frac: float = 0.8
    progress_frac: float = 0.5
    instructions: str = "train"

    def check(self) -> None:
        """Makes sure that it can be carried out; ``collect`` does so first.

        Raises:
            ConfigError: If a number is out of its range, or a seed is not for demonstrations.
        """
        # Not at construction: the command line's parser would wrap the message.
        limits = {
            **dict.fromkeys(("episodes", "horizon", "noise_hold"), (1, math.inf)),
            **dict.fromkeys(("linger", "noise_std"), (0, math.inf)),
            **dict.fromkeys(("noise_calm_frac", "noisy_frac", "progress_frac"), (0, 1)),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                wanted = f"at least {low}" if high == math.inf else f"from {low} to {high}"
                raise ConfigError(f"{name} must be {wanted}, got {value}.")
        first, last = self.seed, self.seed + self.episodes - 1
        if first not in DEMONSTRATION_SEEDS or last not in DEMONSTRATION_SEEDS:
            raise ConfigError(
                f"Demonstrations take seeds from 0 to {DEMONSTRATION_SEEDS[-1]}, "
                f"not {first} to {last}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain numbers and strings, for JSON."""
        return asdict(self)


def collect(
    env_ids: Sequence[str],
    out: Path,
    plan: Plan,
    *,
    env_options: dict[str, Any] | None = None,
    resume: bool = False,
    append: bool = False,
    on_attempt: Callable[[str, Outcome], None] = lambda _id, _outcome: None,
    on_progress: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
) -> int:
    """Records every env's expert.

    Interrupted and resumed, it gives the dataset that it would have given.

    Args:
        env_ids: Gymnasium ids of this package; they must share an interface.
        out: The dataset's folder, new or empty.
        plan: How many, and how.
        env_options: Keyword arguments for ``gym.make``: cameras, profile, action mode.
        resume: Go on with an interrupted collection.
        append: Add to a finished dataset until it has as many per task as the plan wants.
        on_attempt: Told of every attempt, also of failed ones.
        on_progress: Told what is being done, and how much of it is done and to do.

    Returns:
        The number of episodes in the dataset.

    Raises:
        ConfigError: If the plan is impossible, an env has no expert, the envs' interfaces
            differ, or an expert keeps failing.
        OutputError: If ``out`` is in use or cannot be written to.
    """
    plan.check()
    env_ids = tuple(dict.fromkeys(env_ids))
    options = {
        "horizon": plan.horizon,
        "linger": plan.linger,
        "instructions": plan.instructions,
        **(env_options or {}),
    }
    first = _checked(env_ids, options, on_progress)
    profile = getattr(first, "profile", None)
    writer = DatasetWriter(
        out,
        first.interface,
        profile=profile.name if profile else "",
        profile_hash=profile.hash if profile else "",
        env_ids=env_ids,
        resume=resume,
        append=append,
    )
    done, total = writer.recorded, plan.episodes * len(env_ids)
    for env_id in env_ids:
        env: Any = make_env(env_id, **options)
        seeds = [seed for task, seed in done if task == getattr(env.unwrapped, "task", "")]
        for outcome in _attempts(env, plan, writer, seeds):
            on_attempt(env_id, outcome)
            on_progress("demonstrations", len(writer), total)
        env.close()
    writer.finalize(lambda done, total: on_progress("writing the dataset", done, total))
    return len(writer)


def _checked(
    env_ids: Sequence[str], options: dict[str, Any], on_progress: Callable[[str, int, int], None]
) -> Any:
    """Tries every env before hours of work; returns the first, which all the others fit."""
    if not env_ids:
        raise ConfigError("Name at least one env to collect from.")
    first: Any = None
    for count, env_id in enumerate(env_ids, start=1):
        env = make_env(env_id, **options)
        ExpertAgent(env)  # complains if there is no expert
        world: Any = env.unwrapped
        first = first or world
        differences = first.interface.differences(world.interface)
        if differences:
            raise ConfigError(f"{env_id} does not fit {env_ids[0]}: {'; '.join(differences)}")
        env.close()
        on_progress("checking the envs", count, len(env_ids))
    return first


def _attempts(
    env: gym.Env, plan: Plan, writer: DatasetWriter, recorded: Sequence[int]
) -> Iterator[Outcome]:
    """Plays one env until enough is recorded; yields how each attempt ended."""
    world: Any = env.unwrapped
    kept, seed = len(recorded), max(recorded, default=plan.seed - 1) + 1
    motions = len(world.interface.action) - 1
    noisy_env = ActionNoise(
        env,
        std=[plan.noise_std] * motions + [0.0],
        hold=plan.noise_hold,
        calm_frac=plan.noise_calm_frac,
    )
    agent = ExpertAgent(env)
    while kept < plan.episodes:
        if seed - plan.seed >= 20 * plan.episodes or seed not in DEMONSTRATION_SEEDS:
            raise ConfigError(
                f"The expert of {world.name} solved only {kept} of the episodes with the seeds "
                f"{plan.seed} to {seed - 1}:\nlower the noise, raise the horizon, or begin at "
                "another seed."
            )
        rng = np.random.default_rng((seed, _PLAN_STREAM))
        options = _midway(world, plan, seed, rng)
        noisy = rng.random() < plan.noisy_frac
        recorder = Recorder(writer, task=getattr(world, "task", ""))
        outcome = rollout(
            noisy_env if noisy else env,
            agent,
            seed=seed,
            options=options,
            listeners=[recorder],
        )
        kept += outcome.success
        seed += 1
        yield outcome


def _midway(world: Any, plan: Plan, seed: int, rng: np.random.Generator) -> dict[str, Any] | None:
    """Reset options that start every so-manieth episode of a drawer or window midway."""
    if not getattr(world, "can_progress", False):
        return None
    before, after = (int(plan.progress_frac * count) for count in (seed, seed + 1))
    if before == after:
        return None
    return {"progress": float(rng.uniform(0, _LATEST_PROGRESS)), "goal_marker": False}
