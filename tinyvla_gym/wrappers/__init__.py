"""Wrappers: each changes one thing about an env."""

from tinyvla_gym.wrappers.chunk import ExecuteChunk
from tinyvla_gym.wrappers.instruction import InstructionAsBytes
from tinyvla_gym.wrappers.noise import ActionNoise
from tinyvla_gym.wrappers.pace import RealTime
from tinyvla_gym.wrappers.verdict import HumanVerdict

__all__ = ["ActionNoise", "ExecuteChunk", "HumanVerdict", "InstructionAsBytes", "RealTime"]
