"""What every env of this package promises beyond Gymnasium's contract."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker
from numpy.typing import NDArray

from tinyvla_gym.errors import (
    ActionNotFiniteError,
    ConfigError,
    EpisodeOverError,
    LiveEnvError,
)
from tinyvla_gym.interface import Interface, Observation, check_instruction

UNSEEDED = (500_000, 1_000_000)
"""Unseeded resets draw the episode's seed from here: never demonstrations, never evaluation."""

Tick = tuple[float, bool, bool, dict[str, Any]]
"""Reward, terminated, truncated, info: what a control tick yields besides the observation."""


class ManipulationEnv(gym.Env[Observation, NDArray[np.float32]]):
    """An arm with a task, a sentence and cameras.

    ``step(action)`` is ``advance(action)`` and then ``observe()``. Whoever plays several actions
    without looking calls ``advance`` for each and ``observe`` once, and saves the pictures.

    Every ``info`` carries ``success`` (this tick's bool), ``sent_action`` (what reached the
    robot; zeros at reset), ``seed`` and ``instruction``. The whole episode follows from the seed.

    A subclass writes ``_begin``, ``_tick`` and ``observe``.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 80}  # noqa: RUF012 (Gymnasium's name)

    def __init__(
        self,
        interface: Interface,
        *,
        name: str,
        horizon: int,
        terminate_on_success: bool,
        linger: int = 0,
    ) -> None:
        """Sets the spaces.

        Args:
            interface: What the env shows and accepts.
            name: How messages call this env.
            horizon: Control ticks after which an episode is truncated.
            terminate_on_success: Whether success ends the episode.
            linger: Control ticks to play on after the first success before it does.
        """
        if horizon < 1:
            raise ConfigError(f"{name} needs a horizon of at least 1 tick, got {horizon}.")
        if linger < 0:
            raise ConfigError(f"{name} cannot linger for {linger} ticks.")
        self.interface = interface
        self.name = name
        self.horizon = horizon
        self.terminate_on_success = terminate_on_success
        self.linger = linger
        self.observation_space = interface.observation_space()
        self.action_space: Box = interface.action_space()  # pyright: ignore[reportIncompatibleVariableOverride]
        self.episode_seed = 0
        self.instruction = ""
        self.ticks = 0
        self._solved_at: int | None = None
        self._running = False
        self._broken_off = False  # a subclass says so in a tick, to end the episode

    @abstractmethod
    def _begin(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        """Sets the scene and ``self.instruction``; returns what ``info`` adds."""

    @abstractmethod
    def _tick(self, action: NDArray[np.float32]) -> tuple[float, NDArray[np.float32], bool, dict]:
        """Moves for one tick; returns reward, the action sent, success and what info adds."""

    @abstractmethod
    def observe(self) -> Observation:
        """Draws the cameras and reads the sensors; may be called at any time after reset."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begins an episode.

        Args:
            seed: The integer from which the whole episode follows. None draws one between
                500,000 and 999,999.
            options: ``instruction`` replaces the sentence; a subclass may know more.

        Raises:
            InstructionError: If the sentence is not printable ASCII or too long.
            ConfigError: If an option is unknown, or the seed negative.
        """
        if seed is not None and seed < 0:
            raise ConfigError(f"A seed is an integer from 0 on, got {seed}.")
        super().reset(seed=seed)
        options = dict(options or {})
        self.episode_seed = int(self.np_random.integers(*UNSEEDED)) if seed is None else int(seed)
        sentence = options.pop("instruction", None)
        if sentence is not None:
            check_instruction(sentence)
        self._running = self._broken_off = False
        more = self._begin(self.episode_seed, options)
        if sentence is not None:
            self.instruction = sentence
        self.ticks = 0
        self._solved_at = None
        self._running = True
        nothing_sent = np.zeros(self.action_space.shape, np.float32)
        return self.observe(), self._info(nothing_sent, success=False, more=more)

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Plays one control tick and looks; see ``advance``."""
        reward, terminated, truncated, info = self.advance(action)
        return self.observe(), reward, terminated, truncated, info

    def advance(self, action: NDArray[np.float32]) -> Tick:
        """Plays one control tick without drawing a picture.

        Args:
            action: In the units of ``interface.action``, shape (A,).

        Returns:
            Reward, terminated, truncated and info.

        Raises:
            ActionNotFiniteError: If an entry is NaN or infinite; nothing moves.
            EpisodeOverError: If no episode is running.
        """
        if not self._running:
            raise EpisodeOverError(self.name)
        action = np.asarray(action, np.float32)
        if action.shape != self.action_space.shape:
            raise ConfigError(
                f"{self.name} takes actions of shape {self.action_space.shape}, got {action.shape}."
            )
        if not np.isfinite(action).all():
            raise ActionNotFiniteError(self.interface.action, action.tolist())
        reward, sent, success, more = self._tick(action)
        self.ticks += 1
        if success and self._solved_at is None:
            self._solved_at = self.ticks
        solved = self._solved_at is not None and self.ticks - self._solved_at >= self.linger
        terminated = solved and self.terminate_on_success
        truncated = not terminated and (self._broken_off or self.ticks >= self.horizon)
        self._running = not (terminated or truncated)
        return reward, terminated, truncated, self._info(sent, success=success, more=more)

    def _info(
        self, sent: NDArray[np.float32], *, success: bool, more: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            **more,
            "success": success,
            "sent_action": sent,
            "seed": self.episode_seed,
            "instruction": self.instruction,
        }


def refuse_live(env: gym.Env[Any, Any], who: str) -> None:
    """Keeps whoever acts at random away from real arms.

    Raises:
        LiveEnvError: If the env moves some.
    """
    if getattr(env.unwrapped, "live", False):
        raise LiveEnvError(who)


def find_advance(env: gym.Env[Any, Any]) -> Callable[[NDArray[np.float32]], Tick] | None:
    """Returns the env's ``advance``, unless a wrapper in the stack would miss the tick.

    Args:
        env: An env, wrapped or not. Gymnasium's own OrderEnforcing and PassiveEnvChecker let
            ticks pass; any other wrapper must have an ``advance`` of its own.
    """
    layer = env
    while isinstance(layer, gym.Wrapper):
        passes = isinstance(layer, OrderEnforcing | PassiveEnvChecker)
        if not (passes or hasattr(layer, "advance")):
            return None
        layer = layer.env
    return env.get_wrapper_attr("advance") if hasattr(layer, "advance") else None
