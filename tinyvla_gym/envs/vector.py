"""Several envs side by side, each with its own seed and its own sentence."""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from tinyvla_gym.errors import (
    ActionNotFiniteError,
    ConfigError,
    EpisodeOverError,
    UnknownNameError,
)
from tinyvla_gym.interface import Observation

MakeEnv = Callable[[], gym.Env[Observation, NDArray[np.float32]]]
Seeds = int | np.integer | Sequence[int | None] | NDArray[np.integer] | None
BatchedObservation = dict[str, Any]
"""``image_<camera>`` (N, H, W, 3), ``state`` (N, S), ``instruction`` a tuple of N sentences."""


class InstructedVectorEnv(SyncVectorEnv[BatchedObservation, NDArray[np.float32]]):
    """N envs in this process, as ``gym.make_vec(id, num_envs=N, ...)`` makes them.

    Observations are fresh arrays. An episode that an autoreset begins draws its own seed and its
    own sentence, as an unseeded ``reset`` does.
    """

    def __init__(
        self,
        make_env: MakeEnv,
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        """Makes the envs.

        Args:
            make_env: Makes one of them, wrapped or not; called N times.
            num_envs: How many, N.
            autoreset_mode: When an env that ended begins anew: ``NextStep``, ``SameStep`` or
                ``Disabled``; see Gymnasium.

        Raises:
            ConfigError: If there is not at least one env.
            UnknownNameError: If there is no such mode.
        """
        check_count(num_envs)
        super().__init__(
            [lambda slot=slot: _Slot(make_env(), slot) for slot in range(num_envs)],
            autoreset_mode=autoreset_mode_named(autoreset_mode),
        )

    def reset(
        self, *, seed: Seeds = None, options: dict[str, Any] | None = None
    ) -> tuple[BatchedObservation, dict[str, Any]]:
        """Begins N episodes, or with ``reset_mask`` some of them.

        Args:
            seed: One integer, which env i takes as ``seed + i``; a list of N, in which None
                draws one; or None for all.
            options: As the single env's; a list of N gives each env its own entry, where None
                leaves it out: ``{"instruction": ["open the drawer", None]}``. ``reset_mask``,
                bool, shape (N,), says which envs to reset.

        Raises:
            ConfigError: If a list does not have N entries, or the mask is none.
        """
        seeds, options = self._checked_reset(seed, options)
        # Gymnasium takes reset_mask out of the dictionary, which is the caller's.
        return super().reset(seed=seeds, options=dict(options) if options else None)

    def step(self, actions: NDArray[np.float32]) -> tuple[BatchedObservation, Any, Any, Any, Any]:
        """Plays one control tick in every env; see ``gymnasium.vector.VectorEnv.step``.

        Args:
            actions: One row per env, shape (N, A).

        Raises:
            ConfigError: If the shape is another one.
            ActionNotFiniteError: If a row has NaN or infinity; no env has moved.
            EpisodeOverError: If autoreset is disabled and an episode is over; likewise.
        """
        return super().step(self._checked_actions(actions))

    def _checked_reset(
        self, seed: Seeds, options: dict[str, Any] | None
    ) -> tuple[list[int | None], dict[str, Any] | None]:
        """One seed per env, and options whose lists have one entry per env."""
        plain = seed.tolist() if isinstance(seed, np.ndarray | np.integer) else seed
        if plain is None or isinstance(plain, int):
            seeds = [None if plain is None else plain + slot for slot in range(self.num_envs)]
        else:
            seeds = list(plain)
        for name, entries in {"seed": seeds, **(options or {})}.items():
            if isinstance(entries, list | tuple) and len(entries) != self.num_envs:
                raise ConfigError(
                    f"{name} has {len(entries)} entries for {self.num_envs} envs: give one for "
                    "each, or a single value for all."
                )
        mask = (options or {}).get("reset_mask")
        if mask is not None and not _is_mask(mask, self.num_envs):
            raise ConfigError(
                f"reset_mask must be a numpy array of {self.num_envs} bools, one or more of them "
                f"True, got {mask!r}."
            )
        return seeds, options

    def _checked_actions(self, actions: NDArray[np.float32]) -> NDArray[np.float32]:
        actions = np.asarray(actions, np.float32)
        if actions.shape != self.action_space.shape:
            raise ConfigError(
                f"{self.num_envs} envs take actions of shape {self.action_space.shape}, "
                f"got {actions.shape}."
            )
        finite = np.isfinite(actions).all(axis=-1)  # (N,), or (N, h) where an action is a chunk
        if not finite.all():
            place = np.argwhere(~finite)[0]
            names = self.get_attr("interface")[place[0]].action
            row = actions[tuple(place)].tolist()
            raise ActionNotFiniteError([f"env {place[0]} {name}" for name in names], row)
        if self.autoreset_mode is AutoresetMode.DISABLED and self._autoreset_envs.any():
            over = ", ".join(map(str, np.flatnonzero(self._autoreset_envs)))
            raise EpisodeOverError(f"Env {over} of {self.num_envs}")
        return actions


def autoreset_mode_named(mode: AutoresetMode | str) -> AutoresetMode:
    """Looks a mode up.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    modes = {mode.value: mode for mode in AutoresetMode}
    if isinstance(mode, AutoresetMode):
        return mode
    if mode not in modes:
        raise UnknownNameError("autoreset mode", mode, modes)
    return modes[mode]


def check_count(num_envs: int) -> None:
    """Makes sure that there is an env.

    Raises:
        ConfigError: If there is none.
    """
    if num_envs < 1:
        raise ConfigError(f"A vector of envs needs at least one, got num_envs={num_envs}.")


def options_of(slot: int, options: dict[str, Any] | None) -> dict[str, Any]:
    """One env's own entry of every reset option that is a list; None leaves an option out."""
    own = {
        name: value[slot] if isinstance(value, list | tuple) else value
        for name, value in (options or {}).items()
        if name != "reset_mask"
    }
    return {name: value for name, value in own.items() if value is not None}


def _is_mask(mask: Any, num_envs: int) -> bool:
    return (
        isinstance(mask, np.ndarray)
        and mask.dtype == np.bool_
        and mask.shape == (num_envs,)
        and bool(mask.any())
    )


class _Slot(gym.Wrapper[Observation, NDArray[np.float32], Observation, NDArray[np.float32]]):
    """One env of the vector, which picks its own entry from options that are lists."""

    def __init__(self, env: gym.Env[Observation, NDArray[np.float32]], slot: int) -> None:
        super().__init__(env)
        self._slot = slot

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        return self.env.reset(seed=seed, options=options_of(self._slot, options))
