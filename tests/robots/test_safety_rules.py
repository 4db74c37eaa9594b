"""The 21 rules of the safety filter, one after another, with their exact errors and events."""

from dataclasses import replace

import numpy as np
import pytest
from rigs import FRANKA, JOINT_PAIR, PAIR, VirtualRig, differences, state_at

from tinyvla_gym.errors import ActionNotFiniteError
from tinyvla_gym.robots.clearance import Clearance
from tinyvla_gym.robots.coordinates import UrToolCoordinates
from tinyvla_gym.robots.faults import (
    ActionFormatError,
    ActionGripperError,
    ActionRotationError,
    CameraFault,
    ControlLostFault,
    DueTimeError,
    EnvFaultedError,
    ForceFault,
    OperatorRequired,
    OverrunFault,
    ProtectiveStopFault,
    ReflexFault,
    StartPoseError,
    StateStaleFault,
    TargetJumpError,
    TrackingFault,
    WatchdogFault,
    WorkspaceError,
)
from tinyvla_gym.robots.fence import Fence
from tinyvla_gym.robots.freshness import judge_cameras
from tinyvla_gym.robots.state import Condition


def refused(rig: VirtualRig, action, error, match: str, rule: int) -> None:
    """The action raises, the refusal is told, and the arms come to rest."""
    with pytest.raises(error, match=match):
        rig.submit(action)
    rig.seconds(rig.controller.stop_s + 0.05)
    assert [event.rule for event in rig.told(error.__name__)] == [rule]
    assert rig.controller.fault is None
    np.testing.assert_allclose(rig.positions[-1], rig.positions[-2], atol=1e-12)


def moving(rig=PAIR) -> VirtualRig:
    virtual = VirtualRig(rig)
    virtual.submit(virtual.home_action((0.1, 0.0, 0.0)), due_s=0.5)
    virtual.seconds(0.4)  # at full speed, still under way
    assert speed(virtual) > 0.05
    return virtual


def speed(virtual: VirtualRig) -> float:
    """Speed of the first tool in the last tick [m/s]."""
    step = virtual.positions[-1][0] - virtual.positions[-2][0]
    return float(np.linalg.norm(step)) / virtual.rig.period_s


def assert_stopped_by(virtual: VirtualRig, fault) -> None:
    """The fault is latched, everything comes to rest, and nothing moves again."""
    virtual.seconds(virtual.controller.stop_s + 0.1)
    commands = virtual.tick()
    assert isinstance(commands.fault, fault)
    assert all(command.release for command in commands.arms)
    assert speed(virtual) < 1e-9
    with pytest.raises(EnvFaultedError, match=fault.__name__):
        virtual.submit(virtual.home_action())


# Rules 1 to 4: what an action says.


@pytest.mark.parametrize(
    "action",
    [np.zeros(19), np.zeros((1, 20)), {"left": 0}, "left", [[0.0], [0.0, 1.0]], None,
     np.zeros(20, complex), np.zeros(20, bool)],
    ids=["short", "nested", "keys", "word", "ragged", "nothing", "complex", "bools"],
)  # fmt: skip
def test_rule_1_the_wrong_shape_or_kind_is_refused(action) -> None:
    refused(moving(), action, ActionFormatError, "takes 20 numbers", 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("entry", [0, 3, 9, 19])
def test_rule_2_an_action_that_is_not_finite_is_refused(value: float, entry: int) -> None:
    rig = moving()
    action = rig.home_action()
    action[entry] = value

    refused(rig, action, ActionNotFiniteError, "not finite, so nothing was moved", 2)


ROWS = {
    "zero": (0, 0, 0, 0, 1, 0),
    "short": (0.09, 0, 0, 0, 1, 0),
    "parallel": (1, 0, 0, 1, 0.1, 0),
    "opposite": (1, 0, 0, -1, 0.1, 0),
}


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS.keys())
def test_rule_3_rows_that_are_no_rotation_are_refused(rows) -> None:
    rig = moving()
    action = rig.home_action()
    action[3:9] = rows

    refused(rig, action, ActionRotationError, "arm left is none", 3)


def test_rule_3_skewed_rows_are_straightened_and_told_above_five_degrees() -> None:
    for degrees, events in ((4.0, 0), (7.0, 1)):
        rig = VirtualRig(PAIR)
        action = rig.home_action()
        first, second = action[3:6], action[6:9]
        action[6:9] = 2 * (
            np.cos(np.radians(degrees)) * second + np.sin(np.radians(degrees)) * first
        )
        rig.submit(action)
        rig.seconds(1.0)

        assert len(rig.told("rot_normalised")) == events
        np.testing.assert_allclose(rig.rotations[-1][0], rig.homes["left"].tcp_rotation, atol=1e-6)


def test_rule_4_a_gripper_a_little_outside_is_clipped_and_told() -> None:
    rig = VirtualRig(PAIR)
    action = rig.home_action(opening=1.2)
    action[19] = -0.25
    rig.submit(action)

    commands = rig.tick()

    assert [command.gripper_open_frac for command in commands.arms] == [1.0, 0.0]
    assert [event.applied for event in rig.told("gripper_clipped")] == [(1.0,), (0.0,)]
    assert rig.told("gripper_clipped")[1].rule == 4


@pytest.mark.parametrize("opening", [-0.26, 1.26, 85.0])
def test_rule_4_a_gripper_far_outside_is_refused(opening: float) -> None:
    rig = moving()

    refused(rig, rig.home_action(opening=opening), ActionGripperError, "from 0 to 1", 4)


# Rules 5 to 8: where a target is.


@pytest.mark.parametrize("control", ["ee", "joint"])
def test_rule_5_a_jump_is_refused(control: str) -> None:
    rig = VirtualRig(replace(PAIR, control=control))
    action = rig.home_action((0.16, 0.0, 0.0))
    if control == "joint":
        action[0] += 0.81

    refused(rig, action, TargetJumpError, "of arm left lies", 5)


def test_rule_5_a_turn_is_refused() -> None:
    rig = VirtualRig(PAIR)
    action = rig.home_action()
    action[3:9] = (-action[3:9]).tolist()  # half a turn about the tool

    refused(rig, action, TargetJumpError, "3.14 rad", 5)


def test_rule_5_a_jump_may_be_clipped_instead() -> None:
    rig = VirtualRig(replace(PAIR, jump_policy="clip"))
    rig.submit(rig.home_action((0.0, 0.0, 0.20)), due_s=0.8)
    rig.seconds(2.0)

    assert [event.rule for event in rig.told("jump_clipped")] == [5, 5]
    risen = rig.positions[-1][0] - rig.homes["left"].tcp_position_m
    np.testing.assert_allclose(risen, [0, 0, 0.15], atol=1e-4)


def to_the_edge(rig: VirtualRig, *, z_m: float) -> None:
    """Brings all tools to a height, in steps."""
    heights = {name: state.tcp_position_m[2] for name, state in rig.homes.items()}
    drop = max(heights.values()) - z_m
    steps = int(np.ceil(drop / 0.1))
    for step in range(1, steps + 1):
        rig.submit(rig.home_action((0.0, 0.0, -drop * step / steps)), due_s=0.5)
        rig.seconds(1.2)


def test_rule_6_a_target_a_little_outside_is_moved_to_the_surface() -> None:
    rig = VirtualRig(PAIR)
    to_the_edge(rig, z_m=0.04)
    action = rig.home_action()
    action[2], action[12] = -0.05, 0.04
    rig.submit(action, due_s=0.5)
    rig.seconds(2.0)

    told = rig.told("workspace")
    assert [(event.rule, event.arm) for event in told] == [(6, "left")]
    assert told[0].original[2] == pytest.approx(-0.05)
    assert told[0].applied[2] == pytest.approx(0.012)  # 2 mm inside, paths bend
    assert rig.positions[-1][0][2] == pytest.approx(0.012, abs=1e-4)


def test_rule_6_a_target_far_outside_is_refused() -> None:
    rig = VirtualRig(PAIR)
    to_the_edge(rig, z_m=0.04)
    action = rig.home_action()
    action[2], action[12] = -0.095, 0.04

    refused(rig, action, WorkspaceError, "outside its workspace", 6)


def test_rule_7_fingertips_are_lifted_over_the_table() -> None:
    low = replace(
        FRANKA, arms=(replace(FRANKA.arms[0], base_position_m=(-0.5, 0.0, -0.30)),)
    )  # the table is 0.30 m over the base
    rig = VirtualRig(low)
    rig.submit(rig.home_action((0.0, 0.0, -0.09)), due_s=0.5)
    rig.seconds(2.0)

    told = rig.told("table")
    assert [event.rule for event in told] == [7]
    assert told[0].applied[2] == pytest.approx(0.305)
    assert rig.positions[-1][0][2] == pytest.approx(0.305, abs=1e-4)


def test_rule_7_a_leaning_tool_is_lifted_more() -> None:
    fence = Fence(FRANKA.arms[0], FRANKA.limits)
    down = np.diag([1.0, -1.0, -1.0])
    c, s = np.cos(0.5), np.sin(0.5)
    leaning = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ down  # about x: along the opening

    lifted = fence.keep_over_table(np.array([0.5, 0.0, 0.01]), leaning)

    half_width_m = 0.04 + 0.01
    assert lifted[2] == pytest.approx(0.005 + half_width_m * np.sin(0.5))


@pytest.mark.parametrize("lean", [1.2, 1.35, 2.5, np.pi])
def test_rule_8_a_leaning_tool_is_turned_back_to_the_cone(lean: float) -> None:
    fence = Fence(FRANKA.arms[0], FRANKA.limits)
    c, s = np.cos(lean), np.sin(lean)
    leaning = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ np.diag([1.0, -1.0, -1.0])

    kept = fence.keep_in_cone(leaning)

    angle = np.arccos(np.clip(-kept[2, 2], -1, 1))
    assert angle == pytest.approx(min(lean, np.radians(75) - 0.01), abs=1e-6)
    np.testing.assert_allclose(kept @ kept.T, np.eye(3), atol=1e-9)


def test_rule_8_is_told() -> None:
    rig = VirtualRig(replace(FRANKA, limits=replace(FRANKA.limits, tilt_rad=0.3)))
    action = rig.home_action()
    c, s = np.cos(0.5), np.sin(0.5)
    turned = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ rig.homes["arm"].tcp_rotation
    action[3:9] = turned[:2].reshape(6)
    rig.submit(action, due_s=0.5)
    rig.seconds(2.0)

    assert [event.rule for event in rig.told("tilt")] == [8]
    lean = np.arccos(-rig.rotations[-1][0][2, 2])
    assert lean == pytest.approx(0.29, abs=1e-3)


# Rules 9 to 11 and 13: how the arms get there.


def test_rule_9_too_fast_a_target_is_reached_later_and_told() -> None:
    rig = VirtualRig(PAIR)
    rig.submit(rig.home_action((0.0, 0.0, 0.10)), due_s=0.1)
    rig.seconds(2.0)

    told = rig.told("retimed")
    assert {event.rule for event in told} == {9}
    assert told[0].applied[0] == pytest.approx(0.10 / (0.9 * 0.25) / 0.1, rel=0.15)
    risen = rig.positions[-1][0] - rig.homes["left"].tcp_position_m
    np.testing.assert_allclose(risen, [0, 0, 0.10], atol=1e-6)  # the point itself never changes
    tops = np.linalg.norm(
        differences([row[0] for row in rig.positions], 1, rig.rig.period_s), axis=1
    )
    assert 0.2 < tops.max() <= 0.25


def test_rule_9_a_target_that_would_be_too_late_is_given_up() -> None:
    rig = VirtualRig(PAIR)
    rises = [rig.home_action((0.0, 0.0, 0.14 * (i % 2))) for i in range(1, 6)]
    rig.controller.submit(0.0, [(0.06 * (i + 1), rise) for i, rise in enumerate(rises)])
    rig.seconds(3.0)

    assert [event.rule for event in rig.told("lagging")] == [9, 9]
    assert speed(rig) < 1e-9


def test_rule_10_without_inverse_kinematics_the_arm_waits_and_then_holds() -> None:
    wide = replace(PAIR.arms[0].workspace, radius_high_m=1.2, low_m=(-1.2, -0.75, 0.01))
    rig = VirtualRig(replace(PAIR, arms=(replace(PAIR.arms[0], workspace=wide), PAIR.arms[1])))
    for _ in range(60):  # outwards, far beyond the arm's reach
        here = rig.states["left"].tcp_position_m
        action = rig.home_action()
        action[:3] = np.add(here, (-0.05, 0.0, 0.0))
        rig.submit(action, due_s=0.4)
        rig.seconds(0.25)
    rig.seconds(1.0)

    assert {event.rule for event in rig.told("ik")} == {10}
    assert {event.rule for event in rig.told("ik_hold")} == {10}
    assert speed(rig) < 1e-3
    assert rig.controller.fault is None


def test_rule_11_a_joint_target_stays_a_margin_away_from_the_limit() -> None:
    start = replace(PAIR.arms[0], home_rad=(-0.4, -1.57, 1.57, -1.57, -1.57, 6.10))
    rig = VirtualRig(replace(JOINT_PAIR, arms=(start, PAIR.arms[1])))
    action = rig.home_action()
    action[5] = 6.4
    rig.submit(action, due_s=0.5)
    rig.seconds(2.0)

    limit = 2 * np.pi - np.radians(5)
    assert [event.rule for event in rig.told("joint_limit")] == [11]
    assert rig.joints[-1][0][5] == pytest.approx(limit, abs=1e-6)


def test_rule_11_a_joint_slows_down_where_its_maker_says_so() -> None:
    wide = replace(FRANKA.arms[0].workspace, low_m=(-0.8, -0.8, 0.01), high_m=(0.8, 0.8, 0.65))
    home_rad = (2.0, *FRANKA.arms[0].home_rad[1:])
    arm = replace(FRANKA.arms[0], home_rad=home_rad, workspace=wide)
    rig = VirtualRig(replace(FRANKA, control="joint", arms=(arm,)))
    turns = [np.array([joint, *home_rad[1:], 1.0]) for joint in (2.2, 2.4, 2.6, 2.65)]
    rig.controller.submit(0.0, [(0.35 * (i + 1), turn) for i, turn in enumerate(turns)])
    rig.seconds(2.0)

    assert {event.rule for event in rig.told("joint_speed")} == {11}
    joints = np.array([row[0] for row in rig.joints])
    _, up = arm.arm.joint_speed_max(joints)
    speeds = differences(joints, 1, rig.rig.period_s)
    assert (speeds <= 0.25 * up + 1e-9).all()
    assert joints[-1][0] > 2.4


def test_rule_11_inverse_kinematics_beyond_a_limit_is_clipped(monkeypatch) -> None:
    rig = VirtualRig(PAIR)
    beyond = rig.states["left"].joints_rad.copy()
    beyond[5] = 6.5  # the wrist turns by no more than 6.28 rad
    monkeypatch.setattr(UrToolCoordinates, "input_of_place", lambda *_: beyond)
    rig.submit(rig.home_action())
    rig.seconds(0.5)

    assert {event.rule for event in rig.told("joint_clipped")} == {11}
    assert max(row[0][5] for row in rig.joints) <= 2 * np.pi - PAIR.limits.joint_margin_rad


@pytest.mark.parametrize("change", ["position", "speed"])
def test_rule_11_a_compliant_arm_holds_when_a_measured_joint_enters_the_margin(change) -> None:
    rig = moving(FRANKA)
    joints = rig.states["arm"].joints_rad.copy()
    if change == "position":
        joints[3] = -0.16
        rig.overrides["arm"] = {"joints_rad": joints}
    else:
        rig.overrides["arm"] = {"joint_speeds_rad_s": np.array([0, 0, 0.7, 0, 0, 0, 0])}
    commands = rig.tick()

    assert commands.holding
    assert [event.rule for event in rig.told("joint_limit")] == [11]
    rig.seconds(1.0)
    assert speed(rig) < 1e-9


def test_rule_13_two_arms_slow_down_and_hold_before_they_touch() -> None:
    near = tuple(
        replace(arm, base_position_m=(-0.45, y, 0.0), workspace=PAIR.arms[1].workspace)
        for arm, y in zip(PAIR.arms, (0.25, -0.25), strict=True)
    )
    rig = VirtualRig(
        replace(PAIR, arms=(replace(near[0], home_rad=PAIR.arms[0].home_rad), near[1]))
    )
    clearance = Clearance(rig.rig)
    for _ in range(80):
        action = rig.home_action()
        for first, name, sign in ((0, "left", 1), (10, "right", -1)):
            action[first : first + 3] = np.add(rig.states[name].tcp_position_m, (0, sign * 0.03, 0))
        try:
            rig.submit(action, due_s=0.2)
        except WorkspaceError:
            break
        rig.seconds(0.1)
    apart = [
        clearance.between([np.tile(joints, (3, 1)) for joints in row]) for row in rig.joints[::5]
    ]

    assert {event.rule for event in rig.told("arm_arm")} == {13}
    assert {event.rule for event in rig.told("arm_arm_hold")} == {13}
    assert min(apart) >= 0.04
    assert min(apart) < 0.09
    assert speed(rig) < 0.01


def test_rule_13_touching_arms_may_not_even_start() -> None:
    same = tuple(replace(arm, base_position_m=(-0.45, 0.0, 0.0)) for arm in PAIR.arms)

    with pytest.raises(StartPoseError, match="from the other arm's"):
        VirtualRig(replace(PAIR, arms=same))


# Rules 12 and 14 to 21: what is watched.


def test_rule_12_an_arm_that_does_not_follow_holds_and_then_stops_the_rig() -> None:
    rig = moving()
    off = rig.states["left"].joints_rad.copy()
    off[1] += 0.3
    rig.overrides["left"] = {"joints_rad": off}

    first = rig.tick()

    assert first.holding
    assert first.fault is None
    assert [event.rule for event in rig.told("tracking")] == [12]
    rig.ticks(23)
    assert rig.controller.fault is None  # 0.184 s
    rig.ticks(3)
    assert_stopped_by(rig, TrackingFault)


def test_rule_14_a_force_holds_and_a_larger_one_stops() -> None:
    rig = moving()
    rig.overrides["right"] = {"force_n": np.array([0.0, 26.0, 0.0])}
    assert rig.tick().holding
    assert [(event.rule, event.arm) for event in rig.told("force")] == [(14, "right")]
    rig.overrides.clear()
    assert not rig.tick().holding

    rig.overrides["right"] = {"force_n": np.array([0.0, 40.0, 40.0])}
    rig.tick()

    assert_stopped_by(rig, ForceFault)


def test_rule_15_the_end_of_a_chunk_is_a_quiet_hold() -> None:
    rig = VirtualRig(PAIR)
    rig.submit(rig.home_action((0.01, 0, 0)), due_s=0.3)
    commands = rig.ticks(200)

    assert rig.events == []
    assert not commands.holding
    assert speed(rig) < 1e-12


def test_rule_16_silence_holds_and_then_stops() -> None:
    rig = VirtualRig(PAIR)
    rig.controller.submit(0.0, [(i, rig.home_action((0, 0, 0.02 * i))) for i in (1, 2, 3, 4)])
    rig.ticks(60, heartbeat=False)
    assert rig.told("heartbeat") == []

    rig.ticks(4, heartbeat=False)
    assert [event.rule for event in rig.told("heartbeat")] == [16]
    rig.ticks(round(rig.controller.stop_s / 0.008) + 1, heartbeat=False)
    assert speed(rig) < 1e-9
    assert rig.controller.fault is None
    rig.ticks(140, heartbeat=False)

    assert_stopped_by(rig, WatchdogFault)


@pytest.mark.parametrize("how", ["old", "missing", "NaN", "from the future"])
def test_rule_17_a_stale_reading_holds_and_then_stops(how: str) -> None:
    rig = moving()
    stamp_s = rig.now_s
    changes = {
        "old": {"stamp_s": stamp_s},
        "NaN": {"joints_rad": np.full(6, np.nan)},
        "from the future": {"stamp_s": stamp_s + 100},
        "missing": {},
    }[how]
    for _ in range(40):
        rig.now_s += rig.rig.period_s
        rig.controller.heartbeat(rig.now_s)
        seen = {name: replace(s, stamp_s=rig.now_s) for name, s in rig.states.items()}
        seen["left"] = replace(seen["left"], **changes)
        if how == "missing":
            del seen["left"]
        commands = rig.controller.tick(rig.now_s, seen)
        age_s = rig.now_s - stamp_s
        assert commands.holding == (age_s > 0.05)
        assert (commands.fault is not None) == (age_s > 0.2)
        rig.events += commands.events

    assert [event.rule for event in rig.told("state_stale")] == [17]
    assert isinstance(rig.controller.fault, StateStaleFault)


def test_rule_18_an_old_picture_is_told_and_a_very_old_one_is_a_fault() -> None:
    assert judge_cameras({"top": 0.19}, PAIR.limits, 0.0) == ((), None)
    events, fault = judge_cameras({"top": 0.21, "wrist": 0.1}, PAIR.limits, 3.0)
    assert [(event.rule, event.name, event.time_s) for event in events] == [
        (18, "camera_stale", 3.0)
    ]
    assert fault is None
    for age_s in (1.01, np.inf, np.nan):
        events, fault = judge_cameras({"top": age_s}, PAIR.limits, 0.0)
        assert isinstance(fault, CameraFault)
        assert len(events) == 1


def test_rule_19_late_ticks_are_told_and_too_many_stop_the_rig() -> None:
    rig = VirtualRig(PAIR)
    rig.tick()
    rig.ticks(19, period_s=0.025)
    assert rig.told("late_ticks") == []
    rig.tick(period_s=0.025)
    assert [event.rule for event in rig.told("late_ticks")] == [19]
    rig.ticks(80, period_s=0.025)
    assert rig.controller.fault is None
    rig.tick(period_s=0.025)

    assert_stopped_by(rig, OverrunFault)


def test_rule_19_ticks_at_most_two_periods_late_do_not_count() -> None:
    rig = VirtualRig(PAIR)
    rig.ticks(200, period_s=0.0239)

    assert rig.told("late_ticks") == []


@pytest.mark.parametrize(
    ("condition", "fault"),
    [(Condition.REFLEX, ReflexFault), (Condition.PROTECTIVE_STOP, ProtectiveStopFault),
     (Condition.PROGRAM_STOPPED, ControlLostFault), (Condition.CONTROL_LOST, ControlLostFault)],
)  # fmt: skip
def test_rule_20_what_stops_one_arm_stops_both_at_once(condition: Condition, fault) -> None:
    rig = moving()
    before = speed(rig)
    rig.overrides["right"] = {"condition": condition}

    assert isinstance(rig.tick().fault, fault)
    rig.tick()
    assert speed(rig) < before  # the left arm decelerates from that tick on
    assert [event.rule for event in rig.told(condition.name.lower())] == [20]
    assert_stopped_by(rig, fault)

    rig.overrides.clear()
    rig.controller.recover(rig.states, rig.now_s)
    rig.submit(rig.home_action())
    assert rig.tick().fault is None


@pytest.mark.parametrize(
    "condition",
    [Condition.EMERGENCY_STOP, Condition.SAFEGUARD_STOP, Condition.BRAKES_ENGAGED,
     Condition.REMOTE_CONTROL_OFF],
)  # fmt: skip
def test_rule_21_what_needs_a_person_is_never_cleared_by_software(condition: Condition) -> None:
    rig = moving()
    rig.overrides["left"] = {"condition": condition}
    rig.tick()
    rig.overrides.clear()
    assert_stopped_by(rig, OperatorRequired)

    with pytest.raises(OperatorRequired, match="Someone must go to the robot"):
        rig.controller.recover(rig.states, rig.now_s)
    with pytest.raises(EnvFaultedError, match="Clear it at the robot"):
        rig.submit(rig.home_action())


def test_a_stop_takes_less_than_half_a_second_and_ten_centimetres() -> None:
    rig = moving()
    start_m = rig.positions[-1][0]
    rig.controller.hold(rig.now_s)

    rig.seconds(0.5)

    assert rig.controller.stop_s < 0.5
    assert speed(rig) < 1e-9
    assert np.linalg.norm(rig.positions[-1][0] - start_m) < 0.1


@pytest.mark.parametrize("now_s", [np.nan, -1.0])
def test_a_clock_that_does_not_run_forwards_stops_the_rig(now_s: float) -> None:
    rig = moving()
    rig.controller.tick(now_s, rig.states)

    assert isinstance(rig.controller.fault, OverrunFault)


@pytest.mark.parametrize("times_s", [[], [np.nan], [2.0, 1.0], [np.inf]])
def test_actions_need_times_in_order(times_s: list[float]) -> None:
    rig = moving()
    with pytest.raises(DueTimeError, match="finite times, in order"):
        rig.controller.submit(rig.now_s, [(due_s, rig.home_action()) for due_s in times_s])
    rig.seconds(0.5)
    assert speed(rig) < 1e-9


def test_a_fault_that_needs_a_person_replaces_one_that_does_not() -> None:
    rig = moving()
    rig.overrides["left"] = {"condition": Condition.PROTECTIVE_STOP}
    rig.tick()
    rig.overrides["left"] = {"condition": Condition.EMERGENCY_STOP}
    rig.tick()
    rig.overrides["left"] = {"condition": Condition.PROTECTIVE_STOP}

    assert isinstance(rig.tick().fault, OperatorRequired)


def test_an_arm_outside_its_workspace_may_not_start() -> None:
    rig = VirtualRig(PAIR)
    rig.states["left"] = state_at(PAIR.arms[0], (0, -1.57, 0, -1.57, -1.57, 0))

    with pytest.raises(StartPoseError, match="workspace"):
        type(rig.controller)(PAIR, rig.states, 0.0)
