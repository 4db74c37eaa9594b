"""``gym.make`` for people: what goes wrong is said in a sentence."""

import os
import sys
from typing import Any

import gymnasium as gym

from tinyvla_gym.envs.graphics import DEBIAN_REMEDY
from tinyvla_gym.errors import ConfigError, GraphicsError, TinyVLAError


def make_env(env_id: str, **options: Any) -> gym.Env:
    """Makes an env and makes sure that it has an interface of this package.

    Args:
        env_id: A registered Gymnasium id.
        options: The env's keyword arguments.

    Raises:
        ConfigError: If it cannot be made so, or has neither cameras nor a sentence.
        GraphicsError: If MuJoCo does not start for want of OpenGL.
    """
    try:
        env = gym.make(env_id, **options)
    except TinyVLAError:
        raise
    except (gym.error.Error, TypeError) as error:
        raise ConfigError(f"{env_id} cannot be made: {error}") from error
    except Exception as error:  # PyOpenGL raises whatever it meets first
        chosen = os.environ.get("MUJOCO_GL")
        if not chosen or "mujoco" in sys.modules:
            raise
        raise GraphicsError(
            f"MuJoCo does not start with MUJOCO_GL={chosen}: {error}\n"
            f"Unset MUJOCO_GL; on Debian or Ubuntu run: {DEBIAN_REMEDY}"
        ) from error
    if not hasattr(env.unwrapped, "interface"):
        raise ConfigError(f"{env_id} is none of our envs: it has no cameras and no sentence.")
    return env
