"""What ``gym.make_vec`` calls: N envs of one id, in this process or in workers."""

from functools import partial
from importlib import import_module
from typing import Any

from gymnasium.vector import AutoresetMode

from tinyvla_gym.envs.env import ManipulationEnv
from tinyvla_gym.envs.parallel import TIMEOUT_S, ParallelVectorEnv
from tinyvla_gym.envs.vector import InstructedVectorEnv, MakeEnv


def make_metaworld(
    num_envs: int = 1,
    *,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    workers: int = 0,
    timeout_s: float = TIMEOUT_S,
    **options: Any,
) -> InstructedVectorEnv:
    """Makes N envs of one MetaWorld task.

    Args:
        num_envs: How many, N.
        autoreset_mode: ``NextStep``, ``SameStep`` or ``Disabled``.
        workers: Worker processes; 0 keeps all envs in this process. Results are the same.
        timeout_s: How long a worker may take for one reset, step or call [s].
        options: ``MetaWorldEnv``'s.
    """
    make_env = partial(_make, "metaworld", "MetaWorldEnv", options)
    return _make_vector(make_env, num_envs, autoreset_mode, workers, timeout_s)


def make_reach(
    num_envs: int = 1,
    *,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    workers: int = 0,
    timeout_s: float = TIMEOUT_S,
    **options: Any,
) -> InstructedVectorEnv:
    """Makes N envs of the toy; ``options`` are ``ReachEnv``'s, the rest as above."""
    make_env = partial(_make, "reach", "ReachEnv", options)
    return _make_vector(make_env, num_envs, autoreset_mode, workers, timeout_s)


def _make(module: str, name: str, options: dict[str, Any]) -> ManipulationEnv:
    # MetaWorld is slow to import: not at the top, and never in a parent that has workers for it.
    return getattr(import_module(f"tinyvla_gym.envs.{module}"), name)(**options)


def _make_vector(
    make_env: MakeEnv,
    num_envs: int,
    autoreset_mode: AutoresetMode | str,
    workers: int,
    timeout_s: float,
) -> InstructedVectorEnv:
    if workers == 0:
        return InstructedVectorEnv(make_env, num_envs, autoreset_mode=autoreset_mode)
    return ParallelVectorEnv(
        make_env, num_envs, workers=workers, autoreset_mode=autoreset_mode, timeout_s=timeout_s
    )
