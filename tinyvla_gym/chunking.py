"""From action chunks to single actions. The only place that unrolls a chunk.

A policy plans, an agent acts. One agent may drive N envs: what belongs to one of them, its
random numbers and what is left of its plans, lives in a ``Slot``.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import ChunkLengthError, ConfigError
from tinyvla_gym.events import Source
from tinyvla_gym.interface import ActionChunk, Observation
from tinyvla_gym.policies.policy import Policy
from tinyvla_gym.policies.stacked import unbatch

_AGENT_STREAM = 0xA6E27  # keeps an agent's random numbers apart from its env's


class Agent(Protocol):
    """Answers every control tick with one action."""

    source: Source
    """Who chooses the actions."""

    @property
    def planned(self) -> bool:
        """Whether the last ``act`` planned anew."""
        ...

    def reset(self, *, seed: int | None = None) -> None:
        """Forgets the last episode; call once after every ``env.reset``."""
        ...

    def needs_observation(self) -> bool:
        """Whether the next ``act`` will read its observation."""
        ...

    def act(self, observation: Observation | None) -> NDArray[np.float32]:
        """Returns this tick's action, shape (A,); None is fine if it needs no observation."""
        ...


@dataclass(kw_only=True, eq=False)
class Slot:
    """One env's share of a planning agent; a fresh one for every episode.

    Attributes:
        generator: Draws the noise of this episode's plans, and nothing else.
        pending: What is left of the plans; the agent knows how to read it.
        planned: Whether the last action came with a new plan.
    """

    generator: np.random.Generator
    pending: deque[NDArray[np.floating]] = field(default_factory=deque)
    planned: bool = False


class PlanningAgent(ABC):
    """Drives any number of envs with one policy; a subclass says how chunks are unrolled."""

    source: Source = "policy"

    def __init__(self, policy: Policy, *, pad_to: int | None = None) -> None:
        """Wraps a policy.

        Args:
            policy: The policy to ask for chunks.
            pad_to: Plans always go to the policy in batches of this size, filled up with
                copies; so no result depends on how many envs happen to plan together.

        Raises:
            ConfigError: If ``pad_to`` is below 1.
        """
        if pad_to is not None and pad_to < 1:
            raise ConfigError(f"pad_to is a batch size, 1 or more, got {pad_to}.")
        self.policy = policy
        self._pad_to = pad_to
        self._seeds = np.random.SeedSequence()
        self._slot = self.begin()

    @abstractmethod
    def _must_plan(self, slot: Slot) -> bool:
        """Whether the slot's next action takes a new plan."""

    @abstractmethod
    def _store(self, slot: Slot, chunk: ActionChunk) -> None:
        """Keeps a copy of a plan whose row 0 is for the next tick, shape (K, A)."""

    @abstractmethod
    def _take(self, slot: Slot) -> NDArray[np.float32]:
        """Returns the next tick's action, shape (A,)."""

    @property
    def planned(self) -> bool:
        """Whether the last ``act`` planned anew."""
        return self._slot.planned

    def reset(self, *, seed: int | None = None) -> None:
        """Forgets every plan and resets the policy.

        ``seed`` seeds what is drawn from here on; None goes on with the last seed's numbers.
        """
        if seed is not None:
            self._seeds = np.random.SeedSequence((seed, _AGENT_STREAM))
        self.policy.reset(seed=seed)
        self._slot = self.begin(seed)

    def drop_plan(self) -> None:
        """Drops what is left of the plans: somebody else has acted; the next ``act`` plans."""
        self._slot.pending.clear()

    def begin(self, seed: int | None = None) -> Slot:
        """Opens a slot for one env's next episode; the policy is not told.

        All its noise follows from ``seed``; None draws on the seed of the last ``reset``.
        """
        entropy = self._seeds.spawn(1)[0] if seed is None else (seed, _AGENT_STREAM)
        return Slot(generator=np.random.default_rng(entropy))

    def needs_observation(self, slot: Slot | None = None) -> bool:
        """Whether the next action, of ``act`` or of a slot, takes a new plan."""
        return self._must_plan(self._slot if slot is None else slot)

    def act(self, observation: Observation | None) -> NDArray[np.float32]:
        """Returns one action, shape (A,); see ``Agent.act``."""
        return self.act_batch([observation], [self._slot])[0]

    def act_batch(
        self, observations: Sequence[Observation | None], slots: Sequence[Slot]
    ) -> NDArray[np.float32]:
        """Returns one action for each of N envs; whoever must plan does so in one batch.

        Args:
            observations: One per env; None where the slot needs none.
            slots: One per env, as ``begin`` made them.

        Returns:
            Actions, float32, shape (N, A).

        Raises:
            ConfigError: If a slot must plan without an observation, or ``pad_to`` is too small.
        """
        for slot in slots:
            slot.planned = self._must_plan(slot)
        planning = [slot for slot in slots if slot.planned]
        seen = [see for see, slot in zip(observations, slots, strict=True) if slot.planned]
        if planning:
            for slot, chunk in zip(planning, self._plan(seen, planning), strict=True):
                self._store(slot, chunk)
        return np.stack([self._take(slot) for slot in slots])

    def predict(
        self,
        observation: dict[str, NDArray[Any]],
        state: tuple[Slot, ...] | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], tuple[Slot, ...]]:
        """Acts the way stable-baselines3's ``evaluate_policy`` asks for it.

        Args:
            observation: Stacked observations of N envs wrapped in ``InstructionAsBytes``.
            state: What the last call returned; None at the first.
            episode_start: Which of the N envs have just been reset, shape (N,).
            deterministic: Ignored; the noise follows from the seed of ``reset``.

        Returns:
            Actions, shape (N, A), and the state for the next call.

        Raises:
            ConfigError: If an entry of ``observation`` does not fit the policy's interface.
        """
        observations = unbatch(observation, self.policy.spec.interface)
        old = (None,) * len(observations) if state is None else state
        starts = np.zeros(len(old), bool) if episode_start is None else episode_start
        slots = tuple(
            self.begin() if start or slot is None else slot
            for slot, start in zip(old, starts, strict=True)
        )
        if not any(slot in old for slot in slots):
            self.policy.reset()
        return self.act_batch(observations, slots), slots

    def _plan(
        self, observations: list[Observation | None], slots: list[Slot]
    ) -> NDArray[np.float32]:
        seen = [observation for observation in observations if observation is not None]
        if len(seen) < len(slots):
            raise ConfigError("A new plan is due, and nobody plans without an observation.")
        padding = (self._pad_to or len(slots)) - len(slots)
        if padding < 0:
            raise ConfigError(f"{len(slots)} envs plan at once, more than pad_to={self._pad_to}.")
        shape, noise = self.policy.spec.noise_shape, None
        if shape is not None:
            drawn = [slot.generator.standard_normal(shape, np.float32) for slot in slots]
            noise = np.stack([*drawn, *[np.zeros(shape, np.float32)] * padding])
        return self.policy.plan_batch([*seen, *seen[:1] * padding], noise=noise)[: len(slots)]


class RecedingHorizon(PlanningAgent):
    """Plays the head of each chunk, then plans again from the newest observation."""

    def __init__(
        self, policy: Policy, *, execute: int | None = None, pad_to: int | None = None
    ) -> None:
        """Wraps a policy.

        Args:
            policy: The policy to ask for chunks.
            execute: Actions to play per chunk; the policy's own choice when None.
            pad_to: See ``PlanningAgent``.

        Raises:
            ChunkLengthError: If ``execute`` is not within the policy's horizon.
        """
        super().__init__(policy, pad_to=pad_to)
        self.execute = policy.spec.execute if execute is None else execute
        if not 1 <= self.execute <= policy.spec.horizon:
            raise ChunkLengthError(self.execute, policy.spec.horizon)

    def _must_plan(self, slot: Slot) -> bool:
        return not slot.pending

    def _store(self, slot: Slot, chunk: ActionChunk) -> None:
        slot.pending.extend(np.array(chunk[: self.execute], np.float32))

    def _take(self, slot: Slot) -> NDArray[np.float32]:
        return slot.pending.popleft()


class TemporalEnsemble(PlanningAgent):
    """Plans at every tick and averages all predictions that were made for it.

    Prediction i, counted from the OLDEST (i = 0), weighs exp(-decay * i): with a positive decay
    the oldest counts most, as in ACT, arXiv 2304.13705, and in TinyVLA's released code. The
    weights are normalised over the predictions that exist. Unlike in the released code, no
    prediction is left out because it happens to be zero.
    """

    def __init__(self, policy: Policy, *, decay: float = 0.01, pad_to: int | None = None) -> None:
        """Wraps a policy.

        Args:
            policy: The policy to ask for chunks.
            decay: How fast weights fall from the oldest to the newest; 0 averages.
            pad_to: See ``PlanningAgent``.

        Raises:
            ConfigError: If ``decay`` is not finite.
        """
        super().__init__(policy, pad_to=pad_to)
        self.decay = decay
        if not np.isfinite(decay):
            raise ConfigError(f"decay must be a finite number, got {decay}.")

    def _must_plan(self, slot: Slot) -> bool:
        return True

    def _store(self, slot: Slot, chunk: ActionChunk) -> None:
        slot.pending.append(np.array(chunk, np.float64))  # oldest first
        if len(slot.pending) > len(chunk):  # the oldest says nothing about the next tick
            slot.pending.popleft()

    def _take(self, slot: Slot) -> NDArray[np.float32]:
        count = len(slot.pending)
        rows = np.stack([chunk[count - 1 - i] for i, chunk in enumerate(slot.pending)])
        weights = np.exp(-self.decay * np.arange(count))
        return (weights @ rows / weights.sum()).astype(np.float32)


class ExpertAgent:
    """Plays an env's own scripted expert, which looks at the simulator and not at pictures."""

    source: Source = "expert"
    planned = True

    def __init__(self, env: gym.Env) -> None:
        """Takes the env that will be played; raises ``ConfigError`` if it has no expert."""
        if not hasattr(env.unwrapped, "expert_action"):
            raise ConfigError(f"{type(env.unwrapped).__name__} has no scripted expert.")
        self._env: Any = env.unwrapped

    def reset(self, *, seed: int | None = None) -> None:
        """Has nothing to forget."""

    def needs_observation(self) -> bool:
        """Never."""
        return False

    def act(self, observation: Observation | None) -> NDArray[np.float32]:
        """Asks the expert, shape (A,)."""
        return self._env.expert_action()
