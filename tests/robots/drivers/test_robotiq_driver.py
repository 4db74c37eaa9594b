"""The gripper driver against the emulated server."""

import time
from collections.abc import Iterator

import pytest
from rigs import own_address

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.robots.drivers.robotiq import RobotiqGripper
from tinyvla_gym.robots.emulators.robotiq import RobotiqEmulator
from tinyvla_gym.robots.robot import ConnectError
from tinyvla_gym.robots.spec import GripperSpec

SPEC = GripperSpec(kind="robotiq_2f85", width_m=0.085)


@pytest.fixture
def emulator() -> Iterator[RobotiqEmulator]:
    with RobotiqEmulator(own_address(33)) as emulator:
        yield emulator


@pytest.fixture
def gripper(emulator: RobotiqEmulator) -> Iterator[RobotiqGripper]:
    gripper = RobotiqGripper("left", emulator.address, SPEC)
    gripper.connect()
    yield gripper
    gripper.close()


def settled(gripper: RobotiqGripper) -> float:
    for _ in range(500):
        before = gripper.read()
        time.sleep(0.02)
        if gripper.read() == before:
            return before
    raise AssertionError("it never settles")


def test_it_is_activated_and_opens_and_closes(gripper: RobotiqGripper, emulator) -> None:
    assert emulator.variables["STA"] == 3
    for opening in (0.0, 0.5, 1.0):
        gripper.move(opening)
        assert settled(gripper) == pytest.approx(opening, abs=0.01)
        assert not gripper.holds


def test_something_between_the_fingers_is_noticed(gripper: RobotiqGripper, emulator) -> None:
    emulator.object_at = 120

    gripper.move(0.0)

    assert settled(gripper) == pytest.approx(1 - 117 / 225, abs=0.01)
    assert gripper.holds


def test_small_changes_are_not_sent(gripper: RobotiqGripper, emulator) -> None:
    gripper.move(0.5)
    asked = emulator.variables["PRE"]
    gripper.move(0.505)

    assert emulator.variables["PRE"] == asked


def test_the_protocol_is_the_urcaps() -> None:
    emulator = RobotiqEmulator(own_address(33))

    assert emulator.answer("GET STA\n") == "STA 0\n"
    assert emulator.answer("SET ACT 1 GTO 1\n") == "ack"
    assert emulator.answer("GET STA\n") == "STA 3\n"
    assert emulator.answer("SET POS\n") == "?\n"
    assert emulator.answer("GET XXX\n") == "?\n"


def test_nobody_there_is_a_sentence() -> None:
    with pytest.raises(ConnectError, match=r"at 127\.\S+\.34 cannot be driven: its gripper"):
        RobotiqGripper("left", own_address(34), SPEC).connect()


def test_only_loopback_addresses_are_served() -> None:
    with pytest.raises(ConfigError, match="loopback addresses only"):
        RobotiqEmulator("192.168.1.11")
