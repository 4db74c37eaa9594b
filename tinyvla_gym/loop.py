"""The loop: env -> observation -> agent -> action -> env, with listeners beside it."""

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.chunking import Agent, PlanningAgent, Slot
from tinyvla_gym.envs.env import find_advance
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.events import Listener, Outcome, Source, Step
from tinyvla_gym.interface import Observation
from tinyvla_gym.policies.policy import check_fit

Env = gym.Env[Observation, NDArray[np.float32]]

_LOG = logging.getLogger(__name__)


def rollout(
    env: Env,
    agent: Agent,
    *,
    seed: int | None = None,
    options: dict[str, Any] | None = None,
    listeners: Iterable[Listener] = (),
    any_profile: bool = False,
) -> Outcome:
    """Plays one episode to its end.

    Ticks inside a chunk draw no pictures unless a listener needs them; what happens is the same.

    Args:
        env: An env of this package, simulated or real.
        agent: Chooses one action per tick; wrap a policy in ``RecedingHorizon``.
        seed: The integer from which the whole episode follows; None lets the env draw one.
        options: Handed to ``env.reset``.
        listeners: Told of everything, in order; told ``on_end(None)`` if the loop raises.
        any_profile: Allow pictures drawn otherwise than those the policy was trained on.

    Returns:
        How the episode ended.

    Raises:
        InterfaceMismatchError: If the agent's policy does not fit the env; nothing has moved.
    """
    _check_fit(env, agent, any_profile=any_profile)
    with _playing(env, seed=seed, options=options, listeners=listeners) as episode:
        agent.reset(seed=episode.seed)
        while not episode.over:
            asked = agent.act(episode.observation)
            look = agent.needs_observation()
            episode.play(asked, look=look, chunk_start=agent.planned, source=agent.source)
    return episode.outcome()


def rollouts(
    envs: Sequence[Env],
    agent: Agent,
    seeds: Sequence[int],
    *,
    options: Sequence[dict[str, Any] | None] | None = None,
    listeners: Sequence[Iterable[Listener]] | None = None,
    on_outcome: Callable[[int, Outcome], None] | None = None,
    any_profile: bool = False,
) -> list[Outcome]:
    """Plays many episodes over N equal envs in lockstep, so that their plans share a batch.

    An env that finishes takes the next seed. An episode does not depend on N, given an agent
    whose ``pad_to`` is set or a policy whose plans do not depend on their batch.

    Args:
        envs: N envs, alike but for their state.
        agent: Chooses the actions; with more than one env it must be a ``PlanningAgent``.
        seeds: One per episode.
        options: One per episode, handed to ``env.reset``.
        listeners: One collection per episode; see ``rollout``.
        on_outcome: Told the episode's place in ``seeds`` and its outcome as soon as it ends.
        any_profile: See ``rollout``.

    Returns:
        One outcome per seed, in their order.

    Raises:
        InterfaceMismatchError: If the agent's policy does not fit an env; nothing has moved.
        ConfigError: If the arguments' lengths differ, or the agent cannot drive N envs.
    """
    jobs = _jobs(seeds, options, listeners)
    for env in envs:
        _check_fit(env, agent, any_profile=any_profile)
    if not envs:
        raise ConfigError("rollouts needs at least one env, got none.")
    outcomes: dict[int, Outcome] = {}

    def note(index: int, outcome: Outcome) -> None:
        outcomes[index] = outcome
        if on_outcome is not None:
            on_outcome(index, outcome)

    if len(envs) > 1:
        _lockstep(envs, agent, jobs, note)
    else:
        for index, job in enumerate(jobs):
            note(index, rollout(envs[0], agent, **job, any_profile=any_profile))
    return [outcomes[index] for index in range(len(jobs))]


def _jobs(
    seeds: Sequence[int],
    options: Sequence[dict[str, Any] | None] | None,
    listeners: Sequence[Iterable[Listener]] | None,
) -> list[dict[str, Any]]:
    options = [None] * len(seeds) if options is None else options
    listeners = [()] * len(seeds) if listeners is None else listeners
    if not len(seeds) == len(options) == len(listeners):
        raise ConfigError(
            f"rollouts needs as many options and listeners as seeds, got {len(seeds)} seeds, "
            f"{len(options)} options and {len(listeners)} collections of listeners."
        )
    return [
        {"seed": seed, "options": option, "listeners": heard_by}
        for seed, option, heard_by in zip(seeds, options, listeners, strict=True)
    ]


def _lockstep(
    envs: Sequence[Env],
    agent: Agent,
    jobs: Sequence[dict[str, Any]],
    note: Callable[[int, Outcome], None],
) -> None:
    if not isinstance(agent, PlanningAgent):
        raise ConfigError(
            f"{type(agent).__name__} drives one env, not {len(envs)}: "
            "wrap a policy in RecedingHorizon, or give one env."
        )
    agent.reset()
    queue = iter(enumerate(jobs))  # shared: whoever is free takes the next
    with ExitStack() as stack:  # closes every player, which breaks off what still runs
        players = [stack.enter_context(closing(_player(env, agent, queue, note))) for env in envs]
        turns = [(player, next(player)) for player in players]
        while turns := [(player, turn) for player, turn in turns if turn is not None]:
            observations, slots = zip(*(turn for _, turn in turns), strict=True)
            actions = agent.act_batch(observations, slots)  # (N, A)
            turns = [
                (player, player.send(asked))
                for (player, _), asked in zip(turns, actions, strict=True)
            ]


def _player(
    env: Env,
    agent: PlanningAgent,
    queue: Iterator[tuple[int, dict[str, Any]]],
    note: Callable[[int, Outcome], None],
) -> Generator[tuple[Observation | None, Slot] | None, NDArray[np.float32], None]:
    """Plays episodes until the queue is empty: yields what it sees, is sent what to do."""
    for index, job in queue:
        with _playing(env, **job) as episode:
            slot = agent.begin(episode.seed)
            while not episode.over:
                asked = yield episode.observation, slot
                look = agent.needs_observation(slot)
                episode.play(asked, look=look, chunk_start=slot.planned, source=agent.source)
        note(index, episode.outcome())
    yield None


class _Episode:
    """One env's running episode: what was seen last, what was counted, who listens."""

    def __init__(
        self,
        env: Env,
        listeners: Sequence[Listener],
        observation: Observation,
        info: dict[str, Any],
    ) -> None:
        self.observation: Observation | None = observation
        self.seed: int = info["seed"]
        self.over = False
        self._env = env
        self._listeners = listeners
        images_needed = any(listener.needs_images for listener in listeners)
        self._advance = None if images_needed else find_advance(env)
        self._instruction: str = info["instruction"]
        self._steps = 0
        self._return = 0.0
        self._success_step: int | None = None

    def play(
        self, asked: NDArray[np.float32], *, look: bool, chunk_start: bool, source: Source
    ) -> None:
        """Plays one control tick; without ``look``, pictures are skipped if they can be."""
        asked = np.asarray(asked, np.float32)
        seen, after = self.observation, None
        if look or self._advance is None:
            after, reward, terminated, truncated, info = self._env.step(asked)
        else:
            reward, terminated, truncated, info = self._advance(asked)
        self.observation = after
        self.over = bool(terminated or truncated)
        self._steps += 1
        self._return += float(reward)
        if info["success"] and self._success_step is None:
            self._success_step = self._steps
        step = Step(
            observation=seen,
            next_observation=after,
            asked=asked,
            sent=info["sent_action"],
            label=info.get("label", asked),
            reward=float(reward),
            terminated=bool(terminated),
            truncated=bool(truncated),
            info=info,
            chunk_start=chunk_start,
            source=source,
        )
        for listener in self._listeners:
            listener.on_step(step)

    def outcome(self) -> Outcome:
        """What is known so far; final once the episode is over."""
        return Outcome(
            seed=self.seed,
            instruction=self._instruction,
            steps=self._steps,
            episode_return=self._return,
            success=self._success_step is not None,
            success_step=self._success_step,
        )


@contextmanager
def _playing(
    env: Env, *, seed: int | None, options: dict[str, Any] | None, listeners: Iterable[Listener]
) -> Iterator[_Episode]:
    """Begins an episode, and ends it for its listeners however the block is left."""
    listeners = tuple(listeners)
    observation, info = env.reset(seed=seed, options=options)
    episode = _Episode(env, listeners, observation, info)
    try:
        for listener in listeners:
            listener.on_reset(observation, info)
        yield episode
    except BaseException:
        for failure in _tell_end(listeners, None):
            _LOG.error("A listener failed at the end of a broken episode.", exc_info=failure)
        raise
    failures = _tell_end(listeners, episode.outcome())
    for failure in failures[1:]:
        _LOG.error("A second listener failed at the end of an episode.", exc_info=failure)
    if failures:
        raise failures[0]


def _tell_end(listeners: Sequence[Listener], outcome: Outcome | None) -> list[Exception]:
    failures = []
    for listener in listeners:
        try:
            listener.on_end(outcome)
        except Exception as failure:  # the others still have files to close
            failures.append(failure)
    return failures


def _check_fit(env: Env, agent: Agent, *, any_profile: bool) -> None:
    policy, world = getattr(agent, "policy", None), env.unwrapped
    if policy is None or not env.has_wrapper_attr("interface"):
        return
    interface = env.get_wrapper_attr("interface")  # a wrapper may show the env otherwise
    spec = policy.spec
    profile = getattr(getattr(world, "profile", None), "name", "")
    check_fit(
        spec,
        interface,
        spec.profile if any_profile else profile,
        policy_name=spec.name,
        env_name=getattr(world, "name", type(world).__name__),
    )
