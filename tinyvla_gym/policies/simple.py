"""Policies that have learned nothing: doing nothing, anything, or the same again."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.interface import ActionChunk, Interface, Observation
from tinyvla_gym.policies.policy import PolicySpec


class ZeroPolicy:
    """Asks for zero, or for the nearest value within an action entry's bounds."""

    def __init__(self, interface: Interface, *, horizon: int = 8) -> None:
        """Plans for an interface.

        Args:
            interface: Of the env to drive.
            horizon: Actions in one chunk, K.
        """
        self.spec = PolicySpec(name="zero", interface=interface, horizon=horizon, execute=horizon)
        bounds = interface.action_space()
        still = np.clip(np.float32(0), bounds.low, bounds.high)  # (A,)
        self._chunk = np.tile(still, (horizon, 1))  # (K, A)

    def reset(self, *, seed: int | None = None) -> None:
        """Has nothing to forget."""

    def plan(self, observation: Observation) -> ActionChunk:
        """Returns the same chunk whatever the observation, shape (K, A)."""
        return self._chunk.copy()

    def plan_batch(
        self, observations: Sequence[Observation], *, noise: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Returns that chunk N times, shape (N, K, A)."""
        return np.tile(self._chunk, (len(observations), 1, 1))


class RandomPolicy:
    """Draws every action uniformly between its bounds."""

    def __init__(self, interface: Interface, *, horizon: int = 8) -> None:
        """Plans for an interface.

        Args:
            interface: Of the env to drive.
            horizon: Actions in one chunk, K.
        """
        shape = (horizon, len(interface.action))
        self.spec = PolicySpec(
            name="random",
            interface=interface,
            horizon=horizon,
            execute=horizon,
            noise_shape=shape,
        )
        self._bounds = interface.action_space()
        self._generator = np.random.default_rng()

    def reset(self, *, seed: int | None = None) -> None:
        """Seeds the generator; None lets it run on."""
        if seed is not None:
            self._generator = np.random.default_rng(seed)

    def plan(self, observation: Observation) -> ActionChunk:
        """Draws K actions, shape (K, A)."""
        return self.plan_batch([observation])[0]

    def plan_batch(
        self, observations: Sequence[Observation], *, noise: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Draws N chunks; see ``Policy.plan_batch``.

        The normal distribution's own cumulative function turns the noise into a share of the
        way from the lower bound to the upper one, so that it is uniform.
        """
        if noise is None:
            shape = (len(observations), self.spec.horizon, len(self.spec.interface.action))
            noise = self._generator.standard_normal(shape, np.float32)
        low, high = self._bounds.low, self._bounds.high
        actions = low + ndtr(noise) * (high - low)
        # Rounding may step over a bound by one unit in the last place.
        return np.clip(actions, low, high).astype(np.float32)


class ReplayPolicy:
    """Repeats recorded actions in order, whatever it sees; past their end, the last one.

    It counts its own plans, so it drives one env, and its chunks must be played to the end.
    """

    def __init__(
        self, interface: Interface, actions: NDArray[np.floating], *, horizon: int = 8
    ) -> None:
        """Takes the recording.

        Args:
            interface: Of the env to drive.
            actions: One row per control tick, in the interface's units, shape (T, A).
            horizon: Actions in one chunk, K.

        Raises:
            ConfigError: If ``actions`` is empty or does not have A columns.
        """
        actions = np.array(actions, np.float32)
        width = len(interface.action)
        if actions.ndim != 2 or actions.shape[1] != width or not len(actions):
            raise ConfigError(
                f"A replay needs actions of shape (T, {width}) with T >= 1, got {actions.shape}."
            )
        self.spec = PolicySpec(name="replay", interface=interface, horizon=horizon, execute=horizon)
        self._actions = actions
        self._tick = 0

    def reset(self, *, seed: int | None = None) -> None:
        """Rewinds to the first action."""
        self._tick = 0

    def plan(self, observation: Observation) -> ActionChunk:
        """Returns the next K recorded actions, shape (K, A)."""
        rows = np.arange(self._tick, self._tick + self.spec.horizon)
        self._tick += self.spec.horizon
        return self._actions[np.minimum(rows, len(self._actions) - 1)]

    def plan_batch(
        self, observations: Sequence[Observation], *, noise: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Plans for one env, shape (1, K, A).

        Raises:
            ConfigError: If there is more than one observation.
        """
        if len(observations) != 1:
            raise ConfigError(
                f"A replay drives one env, not {len(observations)}: "
                "it could not tell which of them is at which action."
            )
        return self.plan(observations[0])[None]
