"""Rigs in virtual time."""

import pytest
from rigs import PAIR
from simulated_rigs import simulated

from tinyvla_gym.envs.rig.env import RigEnv


@pytest.fixture
def pair():
    """Two simulated arms and three synthetic cameras."""
    env = RigEnv(rig=simulated(PAIR), horizon=20)
    yield env
    env.close()
