"""Collects demonstrations from scripted experts into a dataset."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from tinyvla_gym.chunking import ExpertAgent
from tinyvla_gym.data.episode import Episode
from tinyvla_gym.demonstrations.opening import open_dataset
from tinyvla_gym.demonstrations.plan import DEMONSTRATION_SEEDS, Plan
from tinyvla_gym.demonstrations.playing import Attempt, ExpertPlayer
from tinyvla_gym.envs.make import make_env
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.evaluation.processes import Crew
from tinyvla_gym.events import Outcome

_TRIES_PER_EPISODE = 20

Heard = Callable[[str, Outcome], None]


def collect(
    env_ids: Sequence[str],
    out: Path,
    plan: Plan,
    *,
    env_options: dict[str, Any] | None = None,
    resume: bool = False,
    append: bool = False,
    crew: Crew | None = None,
    on_attempt: Heard = lambda _id, _outcome: None,
    on_progress: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
) -> int:
    """Records every env's expert.

    The dataset depends neither on who plays nor on how often it was interrupted: per env, in
    the order of their seeds, the first episodes that the expert solves.

    Args:
        env_ids: Gymnasium ids of this package; they must share an interface.
        out: The dataset's folder, new or empty.
        plan: How many, and how.
        env_options: Keyword arguments for ``gym.make``: cameras, profile, action mode.
        resume: Go on with an interrupted collection.
        append: Add to a finished dataset until it has as many per task as the plan wants.
        crew: Who plays; its players are ``ExpertPlayer``s. This process if None.
        on_attempt: Told of every attempt as it ends, also of failed ones, in any order.
        on_progress: Told what is being done, and how much of it is done and to do.

    Returns:
        The number of episodes in the dataset.

    Raises:
        ConfigError: If the plan is impossible, an env has no expert, the envs' interfaces
            differ, or an expert keeps failing.
        OutputError: If ``out`` is in use or cannot be written to.
        TinyVLAError: If one of the crew dies.
    """
    plan.check()
    env_ids = tuple(dict.fromkeys(env_ids))
    options = plan.env_options | (env_options or {})
    first, goals = _checked(env_ids, options, on_progress)
    writer = open_dataset(out, first, env_ids, resume=resume, append=append)
    for task, seed in writer.recorded:
        if task in goals:  # a dataset that is appended to may hold others
            goals[task].tried.add(seed)
            goals[task].kept += 1
    total = plan.episodes * len(env_ids)
    while jobs := [job for goal in goals.values() for job in goal.attempts(plan, options)]:
        for episode in _played(jobs, crew, on_attempt):
            if episode is not None:
                writer.add(episode)
                goals[episode.task].kept += 1
            on_progress("demonstrations", len(writer), total)
    places = {task: place for place, task in enumerate(goals)}
    writer.finalize(
        lambda done, total: on_progress("writing the dataset", done, total),
        order=lambda note: (places.get(note.task, len(places)), note.seed),
    )
    return len(writer)


@dataclass
class _Goal:
    """How far one env's collection is."""

    env_id: str
    name: str
    kept: int = 0
    tried: set[int] = field(default_factory=set)

    def attempts(self, plan: Plan, options: dict[str, Any]) -> list[Attempt]:
        """The next seeds, as many as episodes are missing: fewer are never enough.

        Raises:
            ConfigError: If the expert has failed too often.
        """
        missing = plan.episodes - self.kept
        last = min(plan.seed + _TRIES_PER_EPISODE * plan.episodes, len(DEMONSTRATION_SEEDS))
        untried = (seed for seed in range(plan.seed, last) if seed not in self.tried)
        seeds = list(islice(untried, max(missing, 0)))
        if missing > 0 and not seeds:
            raise ConfigError(
                f"The expert of {self.name} solved only {self.kept} of the episodes with the seeds "
                f"{plan.seed} to {last - 1}:\nlower the noise, raise the horizon, or begin at "
                "another seed."
            )
        self.tried.update(seeds)
        return [
            Attempt(task=self.env_id, seed=seed, plan=plan, env_options=options) for seed in seeds
        ]


def _checked(
    env_ids: Sequence[str], options: dict[str, Any], on_progress: Callable[[str, int, int], None]
) -> tuple[Any, dict[str, _Goal]]:
    """Tries every env before hours of work; returns the first, which all fit, and goals by task."""
    if not env_ids:
        raise ConfigError("Name at least one env to collect from.")
    first: Any = None
    goals: dict[str, _Goal] = {}
    for count, env_id in enumerate(env_ids, start=1):
        env = make_env(env_id, **options)
        ExpertAgent(env)  # complains if there is no expert
        world: Any = env.unwrapped
        first = first or world
        differences = first.interface.differences(world.interface)
        if differences:
            raise ConfigError(f"{env_id} does not fit {env_ids[0]}: {'; '.join(differences)}")
        goals[getattr(world, "task", "")] = _Goal(env_id, world.name)
        env.close()
        on_progress("checking the envs", count, len(env_ids))
    return first, goals


def _played(
    jobs: Sequence[Attempt], crew: Crew | None, on_attempt: Heard
) -> Iterator[Episode | None]:
    """Plays attempts; yields what came of each, in any order, None for a failure."""
    if crew is not None:
        yield from (episode for _, episode in crew.play(jobs, on_attempt))
        return
    with closing(ExpertPlayer()) as play:
        yield from (play(job, on_attempt) for job in jobs)
