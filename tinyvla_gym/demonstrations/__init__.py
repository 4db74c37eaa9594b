"""Demonstrations of scripted experts, played by one process or many, kept as a dataset."""

from tinyvla_gym.demonstrations.collecting import collect
from tinyvla_gym.demonstrations.plan import DEMONSTRATION_SEEDS, Plan

__all__ = ["DEMONSTRATION_SEEDS", "Plan", "collect"]
