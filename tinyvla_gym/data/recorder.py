"""The recorder: listens to a rollout and hands every finished episode to a writer."""

from dataclasses import replace
from itertools import groupby
from typing import Any, Protocol

import numpy as np

from tinyvla_gym.data.episode import Episode
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.events import Outcome, Source, Step
from tinyvla_gym.interface import Observation


class EpisodeSink(Protocol):
    """Whoever takes whole episodes, such as ``DatasetWriter``."""

    def add(self, episode: Episode) -> None:
        """Keeps an episode."""
        ...


class Recorder:
    """Collects one episode at a time. It copies what it sees and changes nothing.

    Each of several envs played side by side needs a recorder of its own; they may share a
    writer.
    """

    needs_images = True

    def __init__(self, writer: EpisodeSink, *, task: str = "", keep_failures: bool = False) -> None:
        """Prepares to listen.

        Args:
            writer: Where episodes go.
            task: The env's name of the task, kept with every episode.
            keep_failures: Whether to keep episodes that did not solve the task.
        """
        self._writer = writer
        self._task = task
        self._keep_failures = keep_failures
        self._steps: list[Step] = []

    def on_reset(self, observation: Observation, info: dict[str, Any]) -> None:
        """Forgets what an unfinished episode left behind."""
        self._steps.clear()

    def on_step(self, step: Step) -> None:
        """Keeps a copy of one tick.

        Raises:
            ConfigError: If the tick came without its observation.
        """
        if step.observation is None:
            raise ConfigError(
                "The recorder got a tick without an observation: the loop must look before every "
                "tick when a listener has needs_images=True."
            )
        self._steps.append(_copied(step))

    def on_end(self, outcome: Outcome | None) -> None:
        """Hands the episode over, unless it was broken off or failed."""
        steps, self._steps = self._steps, []
        if outcome is None or not steps:
            return
        if outcome.success or self._keep_failures:
            self._writer.add(_episode(steps, outcome, self._task))


def _copied(step: Step) -> Step:
    """An env may reuse its buffers; the pictures after the tick come again before the next."""
    seen = {key: _copy(value) for key, value in (step.observation or {}).items()}
    return replace(
        step,
        observation=seen,
        next_observation=None,
        sent=np.array(step.sent),
        label=np.array(step.label),
    )


def _copy(value: Any) -> Any:
    return np.array(value) if isinstance(value, np.ndarray) else value


def _episode(steps: list[Step], outcome: Outcome, task: str) -> Episode:
    seen = [step.observation or {} for step in steps]
    cameras = [key.removeprefix("image_") for key in seen[0] if key.startswith("image_")]
    return Episode(
        images={name: np.stack([one[f"image_{name}"] for one in seen]) for name in cameras},
        state=np.stack([one["state"] for one in seen]).astype(np.float32),
        action=np.stack([step.label for step in steps]).astype(np.float32),
        sent_action=np.stack([step.sent for step in steps]).astype(np.float32),
        reward=np.array([step.reward for step in steps], np.float32),
        success=np.array([step.info["success"] for step in steps], np.bool_),
        instruction=outcome.instruction,
        seed=outcome.seed,
        task=task,
        source=_turns([step.source for step in steps]),
    )


def _turns(sources: list[Source]) -> str:
    """Who acted, and if several did, for how many ticks each in turn."""
    turns = [(name, len(list(ticks))) for name, ticks in groupby(sources)]
    if len(turns) == 1:
        return turns[0][0]
    return ", ".join(f"{name} {ticks}" for name, ticks in turns)
