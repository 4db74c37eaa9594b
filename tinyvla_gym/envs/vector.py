"""Several envs side by side, each with its own seed and its own sentence."""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from tinyvla_gym.envs.env import ManipulationEnv
from tinyvla_gym.errors import ActionNotFiniteError, ConfigError, UnknownNameError
from tinyvla_gym.interface import Observation

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
        make_env: Callable[[], ManipulationEnv],
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        """Makes the envs.

        Args:
            make_env: Makes one of them; called N times.
            num_envs: How many, N.
            autoreset_mode: When an env that ended begins anew: ``NextStep``, ``SameStep`` or
                ``Disabled``; see Gymnasium.

        Raises:
            ConfigError: If there is not at least one env.
            UnknownNameError: If there is no such mode.
        """
        if num_envs < 1:
            raise ConfigError(f"A vector of envs needs at least one, got num_envs={num_envs}.")
        modes = {mode.value: mode for mode in AutoresetMode}
        if isinstance(autoreset_mode, str):
            if autoreset_mode not in modes:
                raise UnknownNameError("autoreset mode", autoreset_mode, modes)
            autoreset_mode = modes[autoreset_mode]
        super().__init__(
            [lambda slot=slot: _Slot(make_env(), slot) for slot in range(num_envs)],
            autoreset_mode=autoreset_mode,
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
            ConfigError: If a list does not have N entries.
        """
        plain = seed.tolist() if isinstance(seed, np.ndarray | np.integer) else seed
        seeds = list(plain) if isinstance(plain, Sequence) else plain
        lists = {"seed": seeds, **(options or {})}
        for name, entries in lists.items():
            if isinstance(entries, list | tuple) and len(entries) != self.num_envs:
                raise ConfigError(
                    f"{name} has {len(entries)} entries for {self.num_envs} envs: give one for "
                    "each, or a single value for all."
                )
        # Gymnasium takes reset_mask out of the dictionary, which is the caller's.
        return super().reset(seed=seeds, options=dict(options) if options else None)

    def step(self, actions: NDArray[np.float32]) -> tuple[BatchedObservation, Any, Any, Any, Any]:
        """Plays one control tick in every env; see ``gymnasium.vector.VectorEnv.step``.

        Args:
            actions: One row per env, shape (N, A).

        Raises:
            ConfigError: If the shape is another one.
            ActionNotFiniteError: If a row has NaN or infinity; no env has moved.
        """
        actions = np.asarray(actions, np.float32)
        if actions.shape != self.action_space.shape:
            raise ConfigError(
                f"{self.num_envs} envs take actions of shape {self.action_space.shape}, "
                f"got {actions.shape}."
            )
        for slot, row in enumerate(actions):
            if not np.isfinite(row).all():
                names = self.get_attr("interface")[slot].action
                raise ActionNotFiniteError([f"env {slot} {name}" for name in names], row.tolist())
        return super().step(actions)


class _Slot(gym.Wrapper[Observation, NDArray[np.float32], Observation, NDArray[np.float32]]):
    """One env of the vector, which picks its own entry from options that are lists."""

    def __init__(self, env: ManipulationEnv, slot: int) -> None:
        super().__init__(env)
        self._slot = slot

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        own = {
            name: value[self._slot] if isinstance(value, list | tuple) else value
            for name, value in (options or {}).items()
        }
        chosen = {name: value for name, value in own.items() if value is not None}
        return self.env.reset(seed=seed, options=chosen)


def make_metaworld(
    num_envs: int = 1,
    *,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    **options: Any,
) -> InstructedVectorEnv:
    """Makes N envs of one MetaWorld task; ``options`` are ``MetaWorldEnv``'s."""
    from tinyvla_gym.envs.metaworld import MetaWorldEnv  # slow to import, and Reach needs none

    return InstructedVectorEnv(
        lambda: MetaWorldEnv(**options), num_envs, autoreset_mode=autoreset_mode
    )


def make_reach(
    num_envs: int = 1,
    *,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    **options: Any,
) -> InstructedVectorEnv:
    """Makes N envs of the toy; ``options`` are ``ReachEnv``'s."""
    from tinyvla_gym.envs.reach import ReachEnv

    return InstructedVectorEnv(lambda: ReachEnv(**options), num_envs, autoreset_mode=autoreset_mode)
