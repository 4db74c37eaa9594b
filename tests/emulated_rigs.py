"""Emulated arms with grippers, as rigs for the vendors' real clients: two UR5e, or one FR3."""

from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from rigs import FRANKA, PAIR, own_address
from simulated_rigs import with_synthetic_cameras

from tinyvla_gym.robots import real_time
from tinyvla_gym.robots.drivers import ur
from tinyvla_gym.robots.emulators.franka import FrankaEmulator
from tinyvla_gym.robots.emulators.robotiq import RobotiqEmulator
from tinyvla_gym.robots.emulators.ur_process import UrEmulatorProcess

SERIAL = "EMULATED-1"


@contextmanager
def emulated_pair(first):
    """The rig and its two emulators; ``first`` is the last number of the left one's address."""
    addresses = [own_address(first), own_address(first + 1)]
    arms = [replace(arm, host=to) for arm, to in zip(PAIR.arms, addresses, strict=True)]
    known = {"serial": SERIAL, "calibration_residual_m": 0.0}
    rig = with_synthetic_cameras(replace(PAIR, arms=tuple(arms), **known))
    homes = [np.array(arm.home_rad, np.float64) for arm in arms]
    with (
        UrEmulatorProcess(addresses[0], joints_rad=homes[0]) as left,
        UrEmulatorProcess(addresses[1], joints_rad=homes[1]) as right,
        RobotiqEmulator(addresses[0]),
        RobotiqEmulator(addresses[1]),
    ):
        for arm, emulator in zip(arms, (left, right), strict=True):
            emulator.call("machine.set_tool", arm.tcp_offset_m, arm.payload_kg)
        yield rig, (left, right)


@contextmanager
def emulated_franka(last):
    """The rig and its emulator; ``last`` is the last number of its address."""
    arm = replace(FRANKA.arms[0], host=own_address(last))
    rig = with_synthetic_cameras(replace(FRANKA, arms=(arm,), serial=SERIAL))
    with FrankaEmulator(arm.host, joints_rad=arm.home_rad) as emulator:
        yield rig, emulator


def _needs(client, emulator=None):
    missing = [name for name in (client, emulator) if name and find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


EMULATED = [
    pytest.param(emulated_pair, marks=_needs("rtde_control"), id="pair"),
    pytest.param(emulated_franka, marks=_needs("franky", "franky_sim"), id="franka"),
]
"""Both rigs, each skipped with a reason where its client is missing."""


def patient_run(*arguments, **options):
    """The controller's process, with a watchdog for machines that stand still while they test."""
    ur.WATCHDOG_HZ = 1.0
    real_time.run(*arguments, **options)
