"""The whole cycle of a reflex: the vendor's real client against an arm that keeps its limits."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rigs import FRANKA, own_address

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.robots.drivers import franky_session
from tinyvla_gym.robots.drivers.franka import FrankaArm
from tinyvla_gym.robots.emulators.franka_reflex import FrankaReflexEmulator
from tinyvla_gym.robots.faults import ReflexFault
from tinyvla_gym.robots.state import ArmCommand, Condition

pytest.importorskip("franky", reason="franky-control is not installed: pip install franky-control")
pytest.importorskip("franky_sim", reason="franky-sim is not installed: pip install franky-sim")

PYTHON = Path(__file__).parents[3] / ".venv-peers/franka-sim/bin/python"
BARE = replace(FRANKA.arms[0], host=own_address(55), tcp_offset_m=(0.0, 0.0, 0.0), tcp_yaw_rad=0.0)


@pytest.fixture(autouse=True)
def same_priority() -> Iterator[None]:
    """The client makes a real-time thread of whoever connects; the other tests shall not be one."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    yield
    os.sched_setscheduler(0, *before)


@pytest.fixture
def arm() -> Iterator[FrankaArm]:
    if not PYTHON.exists():
        pytest.skip("franka-sim is not installed: scripts/franka_sim.sh makes its environment")
    with FrankaReflexEmulator(BARE.host, python=PYTHON):
        arm = FrankaArm(BARE, period_s=0.005)
        arm.connect()
        yield arm
        arm.close()


def beside(arm: FrankaArm, towards_m=(0.0, 0.0, 0.0)) -> ArmCommand:
    """The command to go beside where the tool is."""
    reading = arm.read(0.0)
    return ArmCommand(
        joints_rad=None,
        tcp_position_m=reading.tcp_position_m + np.array(towards_m),
        tcp_rotation=reading.tcp_rotation,
        gripper_open_frac=1.0,
        release=False,
    )


def pull(arm: FrankaArm, towards_m) -> None:
    """Sends one command for a moment."""
    command = beside(arm, towards_m)
    deadline_s = time.monotonic() + 2.0
    while arm.read(0.0).condition is Condition.OK and time.monotonic() < deadline_s:
        arm.servo(command)
        time.sleep(0.01)


def test_a_reflex_stops_the_arm_until_it_is_recovered(arm: FrankaArm, monkeypatch) -> None:
    monkeypatch.setattr(franky_session, "_TORQUE_STEP_NM", 1000.0)  # what the driver never does
    pull(arm, (0.05, 0.0, 0.0))

    assert arm.read(1.0).condition is Condition.REFLEX
    arm.servo(beside(arm))  # not sent
    with pytest.raises(ReflexFault, match="a reflex stopped the arm"):
        arm.move_home(np.array(BARE.home_rad), speed_rad_s=0.2)

    monkeypatch.undo()
    arm.recover()
    assert arm.read(2.0).condition is Condition.OK
    pull(arm, (0.0, 0.0, -0.02))  # and moves again, within the limits
    assert arm.read(3.0).condition is Condition.OK


def test_without_its_environment_the_remedy_is_told(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"scripts/franka_sim\.sh makes it"):
        FrankaReflexEmulator("127.0.0.1", python=tmp_path / "python")
