"""The Franka driver around a stand-in for the vendors' libraries."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from rigs import FRANKA, state_at

from tinyvla_gym.errors import MissingExtraError
from tinyvla_gym.robots.coordinates import kinematics_of
from tinyvla_gym.robots.drivers.franka import FrankaArm
from tinyvla_gym.robots.drivers.franka_hand import FrankaHand
from tinyvla_gym.robots.drivers.franka_session import (
    CONDITION_OF_MODE,
    FrankaReading,
    Interrupted,
)
from tinyvla_gym.robots.faults import ControlLostFault, OperatorRequired, ReflexFault
from tinyvla_gym.robots.robot import ConnectError
from tinyvla_gym.robots.state import ArmCommand, Condition

SPEC = FRANKA.arms[0]
HOME = state_at(SPEC, SPEC.home_rad)


class FakeFingers:
    """Fingers that wait until they are let go, and note what they were told."""

    def __init__(self, *, max_width=0.08):
        self.width, self.max_width = 0.08, max_width
        self.told, self.go = [], threading.Event()
        self.go.set()

    def homing(self):
        self.told.append(("homing",))
        self.max_width = 0.08
        return True

    def move(self, width, speed):
        self.told.append(("move", round(width, 4)))
        self.go.wait(5)
        self.width = width
        return True

    def grasp(self, width, speed, force, epsilon_inner, epsilon_outer):
        self.told.append(("grasp", round(width, 4)))
        self.go.wait(5)
        self.width = width
        return True


class FakeSession:
    """A robot that is where it was told to be; what shall go wrong is set from outside."""

    def __init__(self):
        self.software, self.load_kg = "fake 1", 0.0
        self.flange_to_tcp = np.eye(4)
        self.flange_to_tcp[:3, :3] = kinematics_of(SPEC).flange_to_tcp_rotation
        self.flange_to_tcp[:3, 3] = SPEC.tcp_offset_m
        self.fingers = FakeFingers()
        self.time_s, self.condition, self.broken = 1.0, Condition.OK, None
        self.joints_rad = HOME.joints_rad
        self.followed, self.ended, self.recovered = [], 0, 0
        self.healed_by_recovery = True

    def look(self):
        if self.broken:
            raise Interrupted(self.broken, "a reason")
        tcp = np.eye(4)
        tcp[:3, :3], tcp[:3, 3] = HOME.tcp_rotation, HOME.tcp_position_m
        return FrankaReading(
            robot_s=self.time_s,
            joints_rad=self.joints_rad,
            joint_speeds_rad_s=np.zeros(7),
            tcp=tcp,
            force_n=np.zeros(3),
            torques_nm=np.arange(7.0),
            condition=self.condition,
        )

    def follow(self, command):
        if self.broken:
            raise Interrupted(self.broken, "a reason")
        self.followed.append(command)

    def go(self, joints_rad, speed_frac):
        self.speed_frac = speed_frac
        self.joints_rad = joints_rad

    def end(self):
        self.ended += 1

    def recover(self):
        self.recovered += 1
        if self.healed_by_recovery:
            self.condition, self.broken = Condition.OK, None


def connected(session=None, **settings):
    session = session or FakeSession()
    arm = FrankaArm(
        SPEC, period_s=0.005, sleep=lambda _: None, open_session=lambda _: session, **settings
    )
    arm.connect()
    return arm, session


def a_command(*, release=False, position_m=HOME.tcp_position_m, opening=1.0):
    return ArmCommand(
        joints_rad=None,
        tcp_position_m=np.array(position_m, np.float64),
        tcp_rotation=HOME.tcp_rotation,
        gripper_open_frac=opening,
        release=release,
    )


def wait_until(happens, timeout_s=10.0):
    deadline_s = time.monotonic() + timeout_s
    while not happens():
        assert time.monotonic() < deadline_s, "it never happened"
        time.sleep(0.002)


def test_a_reading_keeps_its_stamp_until_the_robots_time_moves_on() -> None:
    arm, session = connected()

    assert arm.read(5.0).stamp_s != 5.0  # the one of the connection
    session.time_s = 1.001
    assert arm.read(6.0).stamp_s == 6.0
    assert arm.read(7.0).stamp_s == 6.0
    arm.close()


@pytest.mark.parametrize(("mode", "condition"), CONDITION_OF_MODE.items())
def test_every_mode_of_the_robot_has_its_condition(mode: str, condition: Condition) -> None:
    arm, session = connected()
    session.condition = CONDITION_OF_MODE[mode]
    assert arm.read(1.0).condition is condition
    session.condition = Condition.OK

    assert arm.read(2.0).condition is condition  # latched
    arm.servo(a_command())
    assert bool(session.followed) == (condition is Condition.OK)
    arm.close()


@pytest.mark.parametrize("condition", [Condition.REFLEX, Condition.CONTROL_LOST])
@pytest.mark.parametrize("where", ["read", "servo"])
def test_what_the_library_raises_is_latched(where: str, condition: Condition) -> None:
    arm, session = connected()
    session.broken = condition

    if where == "servo":
        arm.servo(a_command())
        session.broken = None

    assert arm.read(1.0).condition is condition
    arm.close()


def test_a_target_that_is_not_finite_never_leaves_the_driver() -> None:
    arm, session = connected()

    arm.servo(a_command(position_m=(np.nan, 0.0, 0.4)))

    assert session.followed == []
    assert arm.read(1.0).condition is Condition.PROGRAM_STOPPED
    arm.close()


def test_a_release_ends_the_motion_once() -> None:
    arm, session = connected()
    arm.servo(a_command())
    arm.servo(a_command(release=True))
    arm.servo(a_command(release=True))
    arm.stop()

    assert (len(session.followed), session.ended) == (1, 1)
    arm.close()


def test_a_reflex_is_recovered_twice_in_a_minute_and_no_more() -> None:
    now_s = [0.0]
    arm, session = connected(now=lambda: now_s[0])
    for _ in range(2):
        session.condition = Condition.REFLEX
        assert arm.read(now_s[0]).condition is Condition.REFLEX
        arm.recover()
        assert arm.read(now_s[0]).condition is Condition.OK
        now_s[0] += 10.0
    session.condition = Condition.REFLEX
    arm.read(now_s[0])

    with pytest.raises(OperatorRequired, match="twice within a minute"):
        arm.recover()

    assert session.recovered == 2
    arm.close()


def test_a_reflex_that_stays_is_a_fault() -> None:
    arm, session = connected()
    session.condition, session.healed_by_recovery = Condition.REFLEX, False

    with pytest.raises(ReflexFault):
        arm.recover()
    assert arm.read(1.0).condition is Condition.REFLEX
    arm.close()


@pytest.mark.parametrize("mode", ["UserStopped", "Guiding", "Other"])
@pytest.mark.parametrize("before", [Condition.OK, Condition.REFLEX])
def test_what_needs_a_person_is_never_cleared_by_software(mode: str, before: Condition) -> None:
    arm, session = connected()
    session.condition = before
    arm.read(1.0)
    session.condition = CONDITION_OF_MODE[mode]

    with pytest.raises(OperatorRequired, match="Someone must go to the robot"):
        arm.recover()
    session.condition = Condition.OK  # somebody has been there; the latch stays all the same
    with pytest.raises(OperatorRequired):
        arm.recover()

    assert session.recovered == 0
    arm.close()


def test_a_lost_connection_is_recovered_with_a_new_session() -> None:
    sessions = [FakeSession(), FakeSession()]
    opened = iter(sessions)
    arm = FrankaArm(SPEC, period_s=0.005, open_session=lambda _: next(opened))
    arm.connect()
    sessions[0].broken = Condition.CONTROL_LOST
    assert arm.read(1.0).condition is Condition.CONTROL_LOST

    arm.recover()
    arm.servo(a_command())

    assert len(sessions[1].followed) == 1
    arm.close()


def test_a_robot_that_is_gone_may_come_back_later() -> None:
    def refuse(host):
        raise Interrupted(Condition.CONTROL_LOST, "nobody there")

    session = FakeSession()
    arm, _ = connected(session)
    session.broken = Condition.CONTROL_LOST
    arm.read(1.0)
    arm._open_session = refuse
    with pytest.raises(ControlLostFault, match="nobody there"):
        arm.recover()
    session.broken, arm._open_session = None, lambda _: session

    arm.recover()

    assert arm.read(2.0).condition is Condition.OK
    arm.close()


def test_home_is_reached_at_a_share_of_the_speed_or_it_is_a_fault() -> None:
    clock_s = iter(range(100_000))
    arm, session = connected(now=lambda: float(next(clock_s)))
    target = HOME.joints_rad + 0.1
    arm.move_home(target, speed_rad_s=0.526)
    assert session.speed_frac == pytest.approx(0.1)

    session.go = lambda joints_rad, speed_frac: None  # it does not set out
    with pytest.raises(ControlLostFault):
        arm.move_home(HOME.joints_rad, speed_rad_s=0.5)
    assert arm.read(1.0).condition is Condition.PROGRAM_STOPPED
    arm.close()


def test_a_robot_with_another_tool_is_refused() -> None:
    session = FakeSession()
    session.flange_to_tcp[2, 3] = 0.15

    with pytest.raises(ConnectError, match=r"0.15\] m from the flange; the rig file says"):
        connected(session)


def test_the_facts_of_the_controller_are_told() -> None:
    arm, _ = connected()

    assert arm.facts().software == "fake 1"
    np.testing.assert_allclose(arm.facts().flange_to_tcp_m, SPEC.tcp_offset_m)
    arm.close()


@pytest.mark.parametrize(("driver", "extra"), [("franky", "franka"), ("panda_py", "panda")])
def test_a_missing_library_is_named_with_its_remedy(driver, extra, monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "franky" if driver == "franky" else "panda_py", None)
    arm = FrankaArm(replace(SPEC, driver=driver), period_s=0.005)

    with pytest.raises(MissingExtraError, match=rf'pip install "tinyvla-gym\[{extra}\]"'):
        arm.connect()


def test_the_hand_gets_the_newest_target_only() -> None:
    fingers = FakeFingers()
    hand = FrankaHand(fingers, SPEC.gripper)
    fingers.go.clear()
    hand.move(0.5)
    wait_until(lambda: fingers.told)
    for opening in (0.4, 0.1, 0.9, 0.25):
        hand.move(opening)  # while the fingers are still on their way
    fingers.go.set()
    wait_until(lambda: len(fingers.told) == 2)

    assert fingers.told == [("grasp", 0.04), ("grasp", 0.02)]
    hand.move(0.26)  # less than 2 mm
    hand.move(1.0)
    wait_until(lambda: len(fingers.told) == 3)
    assert fingers.told[-1] == ("move", 0.08)
    wait_until(lambda: hand.read() == 1.0)
    hand.close()


def test_a_hand_that_was_not_homed_is_homed_first() -> None:
    fingers = FakeFingers(max_width=0.0)
    hand = FrankaHand(fingers, SPEC.gripper)
    hand.move(0.0)
    wait_until(lambda: len(fingers.told) == 2)

    assert fingers.told == [("homing",), ("grasp", 0.0)]
    hand.close()


def test_fingers_that_are_blocked_are_asked_again_and_the_rig_goes_on() -> None:
    fingers = FakeFingers()
    fingers.grasp = None  # raises when it is called
    hand = FrankaHand(fingers, SPEC.gripper)
    hand.move(0.2)
    time.sleep(0.05)
    hand.move(1.0)
    wait_until(lambda: fingers.told == [("move", 0.08)])

    assert not hand.broken
    hand.close()


def test_a_hand_that_does_not_answer_stops_the_rig() -> None:
    arm, session = connected()
    del session.fingers.width
    wait_until(lambda: arm.read(1.0).condition is Condition.CONTROL_LOST)
    arm.close()
