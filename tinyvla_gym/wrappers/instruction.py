"""Sentences as bytes, for libraries that take numbers only."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Dict
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.interface import INSTRUCTION_LENGTH, Observation
from tinyvla_gym.policies.stacked import bytes_to_instruction, instruction_to_bytes

__all__ = ["InstructionAsBytes", "bytes_to_instruction"]


class InstructionAsBytes(
    gym.ObservationWrapper[Observation, NDArray[np.float32], Observation], RecordConstructorArgs
):
    """Shows ``instruction`` as ASCII codes, because stable-baselines3 refuses ``Text``.

    The observation space changes in that one entry: ``Box(0, 255, (256,), uint8)``.
    """

    def __init__(self, env: gym.Env[Observation, NDArray[np.float32]]) -> None:
        """Wraps ``env``.

        Raises:
            ConfigError: If its observations have no instruction.
        """
        RecordConstructorArgs.__init__(self)
        gym.ObservationWrapper.__init__(self, env)
        space = env.observation_space
        if not isinstance(space, Dict) or "instruction" not in space.spaces:
            raise ConfigError(f"{env} shows no instruction that could be turned into bytes.")
        codes = Box(0, 255, (INSTRUCTION_LENGTH,), np.uint8)
        self.observation_space = Dict({**space.spaces, "instruction": codes})

    def observation(self, observation: Observation) -> Observation:
        """Spells the sentence."""
        return {**observation, "instruction": instruction_to_bytes(observation["instruction"])}

    def advance(self, action: NDArray[np.float32]) -> tuple[float, bool, bool, dict[str, Any]]:
        """Plays one control tick without looking; nothing changes here."""
        return self.env.get_wrapper_attr("advance")(action)
