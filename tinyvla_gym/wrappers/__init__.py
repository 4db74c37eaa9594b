"""Wrappers: each changes one thing about an env."""

from tinyvla_gym.wrappers.chunk import ExecuteChunk
from tinyvla_gym.wrappers.instruction import InstructionAsBytes
from tinyvla_gym.wrappers.noise import ActionNoise

__all__ = ["ActionNoise", "ExecuteChunk", "InstructionAsBytes"]
