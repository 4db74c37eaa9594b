"""Dead-man, clutch, scale and axes: what a hand says becomes an action, or nothing does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import FRANKA, PAIR

from tinyvla_gym import pose
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.robots.codecs import rig_interface
from tinyvla_gym.robots.kinematics import Kinematics
from tinyvla_gym.robots.rotations import TOOL_DOWN, rotation_from_rotvec
from tinyvla_gym.robots.teleop.device import Reading, ToolPose
from tinyvla_gym.robots.teleop.leader import LeaderArm
from tinyvla_gym.robots.teleop.pilot import Handling, Pilot

ONE, TWO = rig_interface(FRANKA), rig_interface(PAIR)
MIDDLE_M = np.array([0.5, 0.0, 0.3])
AHEAD_M = np.array([0.01, 0.0, 0.0])


class Hand:
    """A device that says what a test has put into it."""

    def __init__(self, **facts):
        self.says = facts

    def open(self):
        pass

    def read(self):
        return Reading(**{"stamp_s": 0.0, "engaged": True, **self.says})

    def close(self):
        pass


def seen(*positions_m, opening=1.0):
    """What an env shows whose tools point down somewhere."""
    tools = [pose.pack(np.array(at_m), TOOL_DOWN, opening) for at_m in positions_m]
    return {"state": np.concatenate(tools)}


def twist(entry, value=1.0):
    return np.eye(6)[entry] * value


def a_pilot(hand, interface=ONE, now=lambda: 0.0, **handling):
    hands = hand if isinstance(hand, list) else [hand]
    return Pilot(interface, hands, handling=Handling(**handling), now=now)


def test_full_deflection_moves_at_the_speed_that_was_set() -> None:
    pilot = a_pilot(Hand(twist=twist(1)), speed_m_s=0.15)

    action = pilot.fly(seen(MIDDLE_M))

    step_m = (0, 0.15 / ONE.control_hz, 0)
    np.testing.assert_allclose(action[:3] - MIDDLE_M, step_m, atol=1e-6)
    np.testing.assert_allclose(action[3:], seen(MIDDLE_M)["state"][3:], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), min_size=6, max_size=6),
    st.booleans(),
    st.floats(0, 10),
)
def test_no_hand_moves_an_arm_faster_than_set_nor_without_the_switch(
    deflection, engaged, silence_s
) -> None:
    hand = Hand(twist=np.array(deflection), engaged=engaged)
    pilot = a_pilot(hand, now=lambda: silence_s)

    moved_m = pilot.fly(seen(MIDDLE_M))[:3] - MIDDLE_M

    assert np.isfinite(moved_m).all()
    most_m = 0.15 / ONE.control_hz + 1e-6 if engaged and silence_s <= 0.25 else 1e-6
    assert np.abs(moved_m).max() <= most_m


def test_a_device_that_falls_silent_while_engaged_stays_in_charge_and_holds() -> None:
    now_s = [0.0]
    hand = Hand(twist=twist(0))
    pilot = a_pilot(hand, now=lambda: now_s[0])
    first = pilot.fly(seen(MIDDLE_M))

    now_s[0] = 5.0
    second = pilot.fly(seen(MIDDLE_M))
    assert pilot.engaged
    np.testing.assert_array_equal(second, first)

    hand.says |= {"stamp_s": 5.0, "engaged": False}
    pilot.fly(seen(MIDDLE_M))
    assert not pilot.engaged


def test_a_device_that_was_silent_from_the_start_is_not_in_charge() -> None:
    pilot = a_pilot(Hand(), now=lambda: 9.0)

    pilot.fly(seen(MIDDLE_M))

    assert not pilot.engaged


def test_the_target_stays_on_its_leash() -> None:
    pilot = a_pilot(Hand(twist=twist(0)), leash_m=0.05)

    for _ in range(100):  # the arm does not follow
        action = pilot.fly(seen(MIDDLE_M))

    assert np.linalg.norm(action[:3] - MIDDLE_M) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize(
    ("axes", "pushed", "moved"),
    [
        (("-y", "x", "z", "rx", "ry", "rz"), 1, (-1, 0, 0)),
        (("-y", "x", "z", "rx", "ry", "rz"), 0, (0, 1, 0)),
        (("x", "y", "-z", "rx", "ry", "rz"), 2, (0, 0, -1)),
    ],
)
def test_axes_are_mapped_with_their_sign(axes, pushed, moved) -> None:
    pilot = a_pilot(Hand(twist=twist(pushed)), axes=axes)

    step_m = pilot.fly(seen(MIDDLE_M))[:3] - MIDDLE_M

    np.testing.assert_allclose(step_m * ONE.control_hz / 0.15, moved, atol=1e-4)


@pytest.mark.parametrize(
    "facts", [{"axes": ("x",) * 6}, {"speed_m_s": 0.0}, {"silent_s": np.nan}, {"scale": np.inf}]
)
def test_handling_that_makes_no_sense_is_refused(facts) -> None:
    with pytest.raises(ConfigError):
        Handling(**facts)


def test_the_gripper_opens_and_closes_within_its_range() -> None:
    hand = Hand(gripper=-1.0)
    pilot = a_pilot(hand, gripper_frac_s=3.0)

    openings = [float(pilot.fly(seen(MIDDLE_M))[9]) for _ in range(10)]

    assert openings[0] == pytest.approx(1.0 - 3.0 / ONE.control_hz)
    assert openings[-1] == 0.0


def test_a_turn_about_the_vertical_turns_the_tool() -> None:
    pilot = a_pilot(Hand(twist=twist(5)), turn_rad_s=0.6)

    rows = pilot.fly(seen(MIDDLE_M))[3:9].reshape(2, 3)

    turn = rotation_from_rotvec(np.array([0.0, 0.0, 0.6 / ONE.control_hz]))
    np.testing.assert_allclose(rows, (turn @ TOOL_DOWN)[:2], atol=1e-6)


def test_one_device_drives_the_arm_it_means_and_two_drive_one_each() -> None:
    left_m, right_m = np.array([-0.4, 0.1, 0.3]), np.array([-0.4, -0.1, 0.3])
    state = seen(left_m, right_m)

    one = a_pilot(Hand(twist=twist(2), arm=1), TWO).fly(state)
    each = a_pilot([Hand(twist=twist(2)), Hand(engaged=False)], TWO).fly(state)

    assert one[2] == pytest.approx(0.3)
    assert one[12] > 0.3
    assert each[2] > 0.3
    assert each[12] == pytest.approx(0.3)


def test_a_leader_may_be_taken_up_anywhere_and_is_followed_from_there() -> None:
    leader = Hand(pose=ToolPose(position_m=np.ones(3), rotation=np.eye(3), gripper_open_frac=0.2))
    pilot = a_pilot(leader)

    first = pilot.fly(seen(MIDDLE_M))
    np.testing.assert_allclose(first[:3], MIDDLE_M, atol=1e-6)
    assert first[9] == pytest.approx(0.2)
    leader.says["pose"] = ToolPose(
        position_m=np.ones(3) + AHEAD_M, rotation=np.eye(3), gripper_open_frac=0.2
    )
    np.testing.assert_allclose(pilot.fly(seen(MIDDLE_M))[:3], MIDDLE_M + AHEAD_M, atol=1e-6)

    leader.says["engaged"] = False  # put back to where it was, without the arm following
    pilot.fly(seen(MIDDLE_M))
    leader.says |= {"engaged": True}
    leader.says["pose"] = ToolPose(
        position_m=np.zeros(3), rotation=np.eye(3), gripper_open_frac=0.2
    )
    np.testing.assert_allclose(pilot.fly(seen(MIDDLE_M))[:3], MIDDLE_M + AHEAD_M, atol=1e-6)


def test_a_leader_arms_joints_become_its_tools_pose() -> None:
    arm = FRANKA.arms[0]

    class Motors(Hand):
        says_rad = -np.array(arm.home_rad)

        def read(self):
            return self.says_rad, 1.4, True

    leader = LeaderArm(Motors(), arm, signs=[-1] * 7, now=lambda: 3.0)
    reading = leader.read()
    position_m, rotation = Kinematics.of(arm).tool_pose(np.array(arm.home_rad))

    assert (reading.stamp_s, reading.engaged) == (3.0, True)
    assert reading.pose is not None
    np.testing.assert_allclose(reading.pose.position_m, position_m)
    np.testing.assert_allclose(reading.pose.rotation, rotation)
    assert reading.pose.gripper_open_frac == 1.0
    Motors.says_rad = np.full(7, np.nan)
    assert not leader.read().engaged
    with pytest.raises(ConfigError, match="7 signs"):
        LeaderArm(Motors(), arm, signs=[1])


@pytest.mark.parametrize(
    ("interface", "hands", "problem"),
    [
        (TWO, 3, "3 devices for 2 arms"),
        (rig_interface(FRANKA.__class__(**{**vars(FRANKA), "state": "joint8"})), 1, "does not"),
    ],
)
def test_what_cannot_be_driven_is_told(interface, hands, problem) -> None:
    with pytest.raises(ConfigError, match=problem):
        a_pilot([Hand() for _ in range(hands)], interface)
