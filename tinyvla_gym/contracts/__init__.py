"""Checks that a new env or policy keeps the promises that the rest of the package relies on."""

from tinyvla_gym.contracts.env import check_env
from tinyvla_gym.contracts.policy import check_policy

__all__ = ["check_env", "check_policy"]
