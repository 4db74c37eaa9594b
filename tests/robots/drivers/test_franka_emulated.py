"""The Franka driver and the vendor's real client, libfranka inside, against an emulated FR3."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rigs import FRANKA, JOINT_FRANKA, own_address, state_at

from tinyvla_gym.robots.controller import Controller
from tinyvla_gym.robots.drivers.franka import FrankaArm
from tinyvla_gym.robots.emulators.franka import FrankaEmulator
from tinyvla_gym.robots.faults import ControlLostFault
from tinyvla_gym.robots.robot import ConnectError
from tinyvla_gym.robots.state import Condition

pytest.importorskip("franky", reason="franky-control is not installed: pip install franky-control")
pytest.importorskip("franky_sim", reason="franky-sim is not installed: pip install franky-sim")

HOME = np.array(FRANKA.arms[0].home_rad)
SPEC = replace(FRANKA.arms[0], host=own_address(51))


@pytest.fixture(scope="module")
def emulator() -> Iterator[FrankaEmulator]:
    with FrankaEmulator(SPEC.host, joints_rad=HOME) as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def same_priority() -> Iterator[None]:
    """The client makes a real-time thread of whoever connects; the other tests shall not be one."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    yield
    os.sched_setscheduler(0, *before)


@pytest.fixture
def arm(emulator: FrankaEmulator) -> Iterator[FrankaArm]:
    arm = FrankaArm(SPEC, period_s=0.005)
    arm.connect()
    try:
        yield arm
    finally:
        arm.close()


def wait_until(happens, timeout_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not happens():
        assert time.monotonic() < deadline_s, "it never happened"
        time.sleep(0.01)


def drive(arm: FrankaArm, rig, action_of, robot_s: float):
    """The control tick around the real client, in the robot's own time; returns the last one."""
    began_s = arm.read(0.0).stamp_s
    controller = Controller(rig, {"arm": arm.read(0.0)}, 0.0)
    controller.submit(0.0, [(0.5, action_of(arm.read(0.0)))])
    now_s, commands = 0.0, None
    while now_s < robot_s:
        time.sleep(rig.period_s)
        now_s += rig.period_s
        controller.heartbeat(now_s)
        state = replace(arm.read(now_s), stamp_s=now_s)
        commands = controller.tick(now_s, {"arm": state})
        assert commands.fault is None, (began_s, commands.fault)
        arm.servo(commands.arms[0])
    return commands


def test_the_robots_own_tool_pose_is_the_one_of_our_kinematics(arm: FrankaArm) -> None:
    reading = arm.read(1.0)

    ours = state_at(SPEC, reading.joints_rad)
    np.testing.assert_allclose(reading.tcp_position_m, ours.tcp_position_m, atol=1e-3)
    np.testing.assert_allclose(reading.tcp_rotation, ours.tcp_rotation, atol=1e-3)
    assert reading.condition is Condition.OK
    assert arm.facts().software == "franky-control 2.0.0"


def test_in_ee_control_the_tool_follows_through_the_impedance(arm: FrankaArm) -> None:
    def action_of(reading):
        at_m = np.add(reading.tcp_position_m, (0.0, 0.03, 0.02))
        return np.concatenate([at_m, reading.tcp_rotation[:2].reshape(6), [1.0]])

    before = arm.read(0.0)
    commands = drive(arm, FRANKA, action_of, 2.0)
    wanted_m = commands.arms[0].tcp_position_m
    np.testing.assert_allclose(wanted_m - before.tcp_position_m, [0, 0.03, 0.02], atol=1e-3)
    wait_until(lambda: np.abs(arm.read(0.0).tcp_position_m - wanted_m).max() < 0.01)
    arm.servo(replace(commands.arms[0], release=True))

    assert arm.read(0.0).condition is Condition.PROGRAM_STOPPED
    arm.recover()
    assert arm.read(0.0).condition is Condition.OK


def test_in_joint_control_the_joints_follow(arm: FrankaArm) -> None:
    commands = drive(
        arm,
        JOINT_FRANKA,
        lambda reading: np.append(np.add(reading.joints_rad, (0.05, 0, 0, 0, 0, 0, 0)), 1.0),
        1.5,
    )
    wanted_rad = commands.arms[0].joints_rad
    wait_until(lambda: np.abs(arm.read(0.0).joints_rad - wanted_rad).max() < 0.03)
    assert arm.read(0.0).condition is Condition.OK


def test_home_is_reached_after_servoing(arm: FrankaArm) -> None:
    arm.servo(Controller(FRANKA, {"arm": arm.read(0.0)}, 0.0).tick(0.0, {}).arms[0])

    arm.move_home(HOME, speed_rad_s=0.5)

    np.testing.assert_allclose(arm.read(0.0).joints_rad, HOME, atol=5e-3)


def test_the_hand_closes_and_opens(arm: FrankaArm) -> None:
    command = Controller(FRANKA, {"arm": arm.read(0.0)}, 0.0).tick(0.0, {}).arms[0]
    for opening, there in ((0.0, lambda opening: opening < 0.1), (1.0, lambda o: o > 0.9)):
        arm.servo(replace(command, gripper_open_frac=opening))
        wait_until(lambda there=there: there(arm.read(0.0).gripper_open_frac))


def test_a_robot_that_dies_is_noticed_and_found_again() -> None:
    spec = replace(SPEC, host=own_address(52))
    arm = FrankaArm(spec, period_s=0.005)
    with FrankaEmulator(spec.host, joints_rad=HOME) as emulator:
        arm.connect()
        arm.servo(Controller(FRANKA, {"arm": arm.read(0.0)}, 0.0).tick(0.0, {}).arms[0])
        before = arm.read(10.0)
        emulator.kill()
        died_s = time.monotonic()
        wait_until(lambda: arm.read(20.0).condition is Condition.CONTROL_LOST)
        assert time.monotonic() - died_s < 5.0  # libfranka waits 1 s; a busy machine takes longer
        assert arm.read(21.0).stamp_s == before.stamp_s  # nothing was measured since
        with pytest.raises(ControlLostFault, match="cannot be driven"):
            arm.recover()
    with FrankaEmulator(spec.host, joints_rad=HOME):
        arm.recover()
        assert arm.read(30.0).condition is Condition.OK
    arm.close()


def test_nobody_there_is_a_sentence() -> None:
    arm = FrankaArm(replace(SPEC, host=own_address(53)), period_s=0.005)

    with pytest.raises(ConnectError, match=r"Arm arm at 127\.\S+\.53 cannot be driven"):
        arm.connect()


def test_the_example_of_the_page_runs() -> None:
    page = Path(__file__).parents[3] / "docs/franka.md"
    (example,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)

    exec(example.replace("127.0.0.41", own_address(54)), {})
