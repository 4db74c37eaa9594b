"""What can go wrong at a Universal Robots controller, seen through the vendor's real client."""

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from rigs import PAIR, own_address

from tinyvla_gym.robots.drivers import ur
from tinyvla_gym.robots.drivers.ur import UrArm
from tinyvla_gym.robots.emulators.ur_process import UrEmulatorProcess
from tinyvla_gym.robots.faults import OperatorRequired
from tinyvla_gym.robots.recovery import RecoveryBudget
from tinyvla_gym.robots.robot import ConnectError
from tinyvla_gym.robots.state import ArmCommand, Condition

pytest.importorskip("rtde_control", reason="ur-rtde is not installed: pip install ur-rtde")

HOME = np.array(PAIR.arms[1].home_rad)
PERIOD_S = 0.008
SPEC = replace(PAIR.arms[1], host=own_address(35))


@pytest.fixture(scope="module")
def emulator() -> Iterator[UrEmulatorProcess]:
    with UrEmulatorProcess(SPEC.host, joints_rad=HOME) as emulator:
        emulator.call("machine.set_tool", SPEC.tcp_offset_m, SPEC.payload_kg)
        yield emulator


@pytest.fixture(scope="module")
def connected(emulator: UrEmulatorProcess) -> Iterator[UrArm]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ur, "WATCHDOG_HZ", 1.0)  # a busy machine may stand still for longer
        arm = UrArm(SPEC, period_s=PERIOD_S, sleep=lambda _: time.sleep(0.01))
        arm.connect()
        yield arm
        arm.close()  # takes two seconds, which is why the tests share it


@pytest.fixture
def arm(connected: UrArm, emulator: UrEmulatorProcess) -> UrArm:
    connected._budget = RecoveryBudget()
    if condition(connected) is not Condition.OK:
        emulator.call("machine.clear_at_the_robot")
        time.sleep(0.05)
        connected.recover()
    return connected


def wait_until(happens, timeout_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not happens():
        assert time.monotonic() < deadline_s, "it never happened"
        time.sleep(0.005)


def condition(arm: UrArm) -> Condition:
    return arm.read(0.0).condition


def servo(arm: UrArm, joints_rad) -> None:
    arm.servo(
        ArmCommand(
            joints_rad=np.array(joints_rad, np.float64),
            tcp_position_m=np.zeros(3),
            tcp_rotation=np.eye(3),
            gripper_open_frac=1.0,
            release=False,
        )
    )


def test_the_controller_says_what_it_knows(arm: UrArm) -> None:
    facts = arm.facts()

    assert facts.software.startswith("PolyScope ")
    assert "5.15.0" in facts.software
    assert facts.serial == "20230000000"
    assert facts.remote_control
    np.testing.assert_allclose(facts.flange_to_tcp_m, SPEC.tcp_offset_m, atol=1e-9)
    assert facts.payload_kg == SPEC.payload_kg


STOPS = {
    "safeguard": ("machine.safeguard_stop", Condition.SAFEGUARD_STOP),
    "brakes": ("machine.power_off", Condition.BRAKES_ENGAGED),
    "emergency": ("machine.emergency_stop", Condition.EMERGENCY_STOP),
}


@pytest.mark.parametrize(("fault", "wanted"), STOPS.values(), ids=STOPS.keys())
def test_what_a_person_must_clear_stays_until_a_person_was_there(
    arm: UrArm, emulator, fault, wanted
) -> None:
    emulator.call(fault)
    wait_until(lambda: condition(arm) is wanted)
    before = len(emulator.look("machine.commands_seen"))
    servo(arm, HOME)
    assert len(emulator.look("machine.commands_seen")) == before
    with pytest.raises(OperatorRequired, match=wanted.value):
        arm.recover()

    emulator.call("machine.clear_at_the_robot")
    time.sleep(0.1)
    assert condition(arm) is wanted  # the driver's own latch
    arm.recover()

    assert condition(arm) is Condition.OK


def test_a_hand_on_the_teach_button_stops_the_arm(arm: UrArm, emulator) -> None:
    emulator.put("faults.teach_button", True)
    wait_until(lambda: condition(arm) is Condition.SAFEGUARD_STOP)
    with pytest.raises(OperatorRequired):
        arm.recover()
    emulator.put("faults.teach_button", False)
    time.sleep(0.1)

    assert condition(arm) is Condition.SAFEGUARD_STOP


def test_a_turned_down_speed_slider_is_seen_and_slows_the_arm(arm: UrArm, emulator) -> None:
    emulator.put("faults.speed_scaling", 0.05)
    wait_until(lambda: arm.speed_scaling == pytest.approx(0.05))
    goal = np.add(HOME, (0.3, 0, 0, 0, 0, 0))
    began_s = emulator.look("machine.time_s")
    while emulator.look("machine.time_s") - began_s < 0.3:
        servo(arm, goal)
        time.sleep(PERIOD_S)
    turned = arm.read(0.0).joints_rad[0] - HOME[0]
    took_s = emulator.look("machine.time_s") - began_s
    emulator.put("faults.speed_scaling", 1.0)

    assert 0.0 < turned <= 0.05 * 3.14 * took_s + 1e-6


def test_late_packets_keep_their_old_stamp_for_longer(arm: UrArm, emulator) -> None:
    emulator.put("faults.delay_s", 0.1)
    time.sleep(0.2)
    stamps = []
    began_s = emulator.look("machine.time_s")
    while emulator.look("machine.time_s") - began_s < 1.0:
        stamps.append(arm.read(float(len(stamps))).stamp_s)
        time.sleep(PERIOD_S)
    emulator.put("faults.delay_s", 0.0)

    assert 2 <= len(set(stamps)) <= 12  # of 125 or so without the delay


def test_a_push_on_the_tool_is_measured(arm: UrArm, emulator) -> None:
    emulator.put("machine.wrench", (1.0, -2.0, 30.0, 0.0, 0.0, 0.0))
    wait_until(lambda: arm.read(0.0).force_n[2] == 30.0)
    emulator.put("machine.wrench", (0.0,) * 6)

    wait_until(lambda: not arm.read(0.0).force_n.any())


def test_a_register_that_somebody_else_owns_is_a_sentence(emulator) -> None:
    emulator.put("faults.registers_in_use", {"input_int_register_0"})
    arm = UrArm(SPEC, period_s=PERIOD_S)

    with pytest.raises(ConnectError, match="cannot be driven"):
        arm.connect()
    emulator.put("faults.registers_in_use", set())
