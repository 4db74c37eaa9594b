"""The UR driver and the vendor's real client against the emulated controller."""

import subprocess
import sys
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
WATCHDOG_HZ = ur.WATCHDOG_HZ
PATIENT_HZ = 1.0  # a machine that runs tests may stand still for longer than a robot's may


def wait_until(happens, timeout_s: float = 20.0) -> None:
    """Waits for something that threads bring about; the time is only how long to hope."""
    deadline_s = time.monotonic() + timeout_s
    while not happens():
        assert time.monotonic() < deadline_s, "it never happened"
        time.sleep(0.005)


def a_command(joints_rad, *, release=False) -> ArmCommand:
    return ArmCommand(
        joints_rad=np.array(joints_rad, np.float64),
        tcp_position_m=np.zeros(3),
        tcp_rotation=np.eye(3),
        gripper_open_frac=1.0,
        release=release,
    )


@pytest.fixture
def emulator() -> Iterator[UrEmulatorProcess]:
    with UrEmulatorProcess(own_address(31), joints_rad=HOME) as emulator:
        yield emulator


@pytest.fixture
def arm(emulator: UrEmulatorProcess, monkeypatch) -> Iterator[UrArm]:
    monkeypatch.setattr(ur, "WATCHDOG_HZ", PATIENT_HZ)
    spec = replace(PAIR.arms[1], host=emulator.address)
    arm = UrArm(spec, period_s=PERIOD_S, sleep=lambda _: time.sleep(0.01))
    arm.connect()
    try:
        yield arm
    finally:
        arm.close()


def condition(arm: UrArm) -> Condition:
    return arm.read(0.0).condition


def test_the_arm_follows_and_its_first_command_arms_the_watchdog(arm: UrArm, emulator) -> None:
    assert 35 not in emulator.look("machine.commands_seen")  # an arm may be looked at for ever
    reading = arm.read(1.0)
    np.testing.assert_allclose(reading.joints_rad, HOME, atol=1e-6)
    assert reading.condition is Condition.OK

    target = HOME.copy()
    for _ in range(25):
        target[0] += 0.004
        arm.servo(a_command(target))
        time.sleep(PERIOD_S)

    assert emulator.look("machine.commands_seen").count(35) == 1
    assert emulator.look("machine.watchdog_hz") == PATIENT_HZ
    assert WATCHDOG_HZ == 10.0
    assert arm.read(2.0).joints_rad[0] > HOME[0] + 0.01
    assert emulator.look("machine.safety") == 1


def test_a_target_that_is_not_finite_never_reaches_a_register(arm: UrArm, emulator) -> None:
    arm.servo(a_command([np.nan, *HOME[1:]]))
    time.sleep(0.05)

    numbers = [
        v for k, v in emulator.look("machine.inputs").items() if k.startswith("input_double")
    ]
    assert np.isfinite(numbers).all()
    assert emulator.look("machine.safety") == 1
    assert condition(arm) is not Condition.OK  # whoever sent it has to explain


def test_a_protective_stop_is_latched_until_it_is_recovered(arm: UrArm, emulator) -> None:
    emulator.call("machine.protective_stop")
    wait_until(lambda: condition(arm) is Condition.PROTECTIVE_STOP)
    before = len(emulator.look("machine.commands_seen"))
    arm.servo(a_command(HOME))
    assert len(emulator.look("machine.commands_seen")) == before

    arm.recover()

    assert condition(arm) is Condition.OK
    assert emulator.look("machine.program_running")


def test_an_emergency_stop_needs_a_person(arm: UrArm, emulator) -> None:
    emulator.call("machine.emergency_stop")
    wait_until(lambda: condition(arm) is Condition.EMERGENCY_STOP)

    with pytest.raises(OperatorRequired, match="an emergency stop"):
        arm.recover()


def test_without_remote_control_a_stop_needs_a_person(arm: UrArm, emulator) -> None:
    emulator.put("faults.remote_control", False)
    emulator.call("machine.stop_program")
    wait_until(lambda: condition(arm) is Condition.PROGRAM_STOPPED)

    with pytest.raises(OperatorRequired, match="remote control is switched off"):
        arm.recover()


SERVO_ON = """
import sys, time
from dataclasses import replace
import numpy as np
from tinyvla_gym.robots.drivers import ur
from tinyvla_gym.robots.rig_file import load_rig
from tinyvla_gym.robots.state import ArmCommand

ur.WATCHDOG_HZ = 1.0
spec = replace(load_rig("ur5e_bimanual").arms[1], host=sys.argv[1])
arm = ur.UrArm(spec, period_s=0.008)
arm.connect()
home = ArmCommand(joints_rad=np.array(spec.home_rad), tcp_position_m=np.zeros(3),
                  tcp_rotation=np.eye(3), gripper_open_frac=1.0, release=False)
end_s = time.monotonic() + 30.0
while time.monotonic() < end_s:
    arm.servo(home)
    print(arm.read(0.0).condition.name, flush=True)
    time.sleep(0.008)
"""


def test_after_a_broken_connection_the_driver_is_silent_though_the_client_comes_back(
    emulator,
) -> None:
    # In a process of its own: the vendor's client may crash while it takes control again.
    command = [sys.executable, "-c", SERVO_ON, emulator.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout
        wait_until(lambda: 11 in emulator.look("machine.commands_seen"))
        emulator.call("drop_sockets")
        told = []  # until the driver knows: the client may take control again, and send once more
        while not told or told[-1] == "OK":
            told.append(driver.stdout.readline().strip() or "GONE")
        time.sleep(2.0)  # so that the client is back: a driver that sends is never silent
        wait_until(lambda: emulator.look("machine.time_s") - emulator.look("machine.fed_s") > 0.5)
        driver.kill()
        told += driver.stdout.read().split()
    told = [name for name in told if name in Condition.__members__]
    lost = [name for name in told if name != "OK"]
    assert told == ["OK"] * (len(told) - len(lost)) + lost  # never OK again
    assert set(lost) <= {"CONTROL_LOST", "PROGRAM_STOPPED"}


def test_a_frozen_controller_keeps_its_old_stamp(arm: UrArm, emulator) -> None:
    emulator.put("faults.frozen", True)
    time.sleep(0.1)
    first = arm.read(10.0)
    time.sleep(0.05)

    assert arm.read(11.0).stamp_s == first.stamp_s
    emulator.put("faults.frozen", False)  # the client waits for data before it disconnects


def test_without_remote_control_there_is_no_connection(emulator: UrEmulatorProcess) -> None:
    emulator.put("faults.remote_control", False)
    arm = UrArm(replace(PAIR.arms[1], host=emulator.address), period_s=PERIOD_S)

    with pytest.raises(ConnectError, match="switch it to remote control"):
        arm.connect()


def test_nobody_there_is_a_sentence() -> None:
    arm = UrArm(replace(PAIR.arms[1], host=own_address(32)), period_s=PERIOD_S)

    with pytest.raises(ConnectError, match=r"Arm right at 127\.\S+\.32 cannot be driven"):
        arm.connect()


def test_home_is_reached_after_servoing(arm: UrArm, emulator: UrEmulatorProcess) -> None:
    arm.servo(a_command(HOME))
    away = np.add(HOME, (0.1, 0, 0, 0, 0, 0))

    arm.move_home(away, speed_rad_s=0.3)

    np.testing.assert_allclose(arm.read(0.0).joints_rad, away, atol=5e-3)
    seen = emulator.look("machine.commands_seen")
    assert seen.index(16) < seen.index(1)  # the servo ends before the move begins


def test_two_recoveries_in_a_minute_are_enough() -> None:
    budget = RecoveryBudget()

    assert [budget.spend(t) for t in (0.0, 10.0, 20.0, 59.0)] == [True, True, False, False]
    assert budget.spend(61.0)
