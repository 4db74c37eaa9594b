"""Two emulated UR5e with grippers, as a rig for the vendor's real client."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from rigs import PAIR, own_address
from simulated_rigs import with_synthetic_cameras

from tinyvla_gym.robots import real_time
from tinyvla_gym.robots.drivers import ur
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


def patient_run(*arguments, **options):
    """The controller's process, with a watchdog for machines that stand still while they test."""
    ur.WATCHDOG_HZ = 1.0
    real_time.run(*arguments, **options)
