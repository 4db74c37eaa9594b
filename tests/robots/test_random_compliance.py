"""A compliant Franka in ``ee`` control that is driven and pushed about at random.

Its joints are not commanded: they follow the tool, and somebody's hand may turn the elbow. So the
filter bounds the tool, and holds whenever a measured joint, or its speed, enters the margin.
"""

from dataclasses import replace

import numpy as np
import pytest
from random_actions import ACTIONS, EPISODE, assert_within_limits, current_action, wander
from rigs import FRANKA, VirtualRig

from tinyvla_gym.errors import ActionNotFiniteError
from tinyvla_gym.robots.controller import Controller
from tinyvla_gym.robots.coordinates import kinematics_of
from tinyvla_gym.robots.faults import ActionRefused, StartPoseError, TrackingFault
from tinyvla_gym.robots.rotations import rotvec_from_rotation

ARM = FRANKA.arms[0]
KINEMATICS = kinematics_of(ARM)
DAMPING = 1e-3
AT_REST_M = 1e-9


class CompliantRig(VirtualRig):
    """An arm whose joints follow the commanded tool pose, less what a hand does to them."""

    def __init__(self):
        super().__init__(FRANKA)
        self.hand_rad_s = np.zeros(7)
        self.held = []  # for each tick: a joint in the margin, holding, speed of the command

    def tick(self, period_s=None, *, heartbeat=True):
        seen = self.states["arm"]
        commands = super().tick(period_s, heartbeat=heartbeat)
        step_m = float(np.linalg.norm(self.positions[-1][0] - self.positions[-2][0]))
        self.held.append((in_the_margin(seen), commands.holding, step_m))
        self.states["arm"] = self.follow(seen, commands.arms[0])
        return commands

    def follow(self, before, command):
        joints_rad = before.joints_rad
        at_m, rotation = KINEMATICS.tool_pose(joints_rad)
        turn = rotvec_from_rotation(command.tcp_rotation @ rotation.T)
        error = np.concatenate([command.tcp_position_m - at_m, turn])
        jacobian = KINEMATICS.jacobian(joints_rad)
        inverse = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + DAMPING * np.eye(6))
        elbow = (np.eye(7) - inverse @ jacobian) @ self.hand_rad_s * self.rig.period_s
        change = 0.2 * inverse @ error + elbow
        low, high = np.array(ARM.arm.joint_low_rad), np.array(ARM.arm.joint_high_rad)
        joints_rad = np.clip(joints_rad + change, low, high)
        speeds = (joints_rad - before.joints_rad) / self.rig.period_s
        at_m, rotation = KINEMATICS.tool_pose(joints_rad)
        return replace(
            before,
            joints_rad=joints_rad,
            joint_speeds_rad_s=speeds,
            tcp_position_m=at_m,
            tcp_rotation=rotation,
        )


def in_the_margin(state):
    """Rule 11 in other words: near a limit, or faster than the share of what is allowed there."""
    limits, model = FRANKA.limits, ARM.arm
    spare = np.minimum(
        state.joints_rad - np.array(model.joint_low_rad),
        np.array(model.joint_high_rad) - state.joints_rad,
    )
    down, up = limits.joint_speed_frac * np.array(model.joint_speed_max(state.joints_rad))
    speeds = state.joint_speeds_rad_s
    return bool((spare < limits.joint_margin_rad).any() or ((speeds > up) | (speeds < down)).any())


def play(rng):
    """One episode of random actions and random hands."""
    rig = CompliantRig()
    good = rig.home_action()
    for _ in range(EPISODE):
        action = wander(FRANKA, good, rng)
        try:
            rig.controller.submit(rig.now_s, [(rig.now_s + rng.uniform(-0.1, 0.3), action)])
            good = np.nan_to_num(action, posinf=0.0, neginf=0.0)
        except (ActionRefused, ActionNotFiniteError):
            good = current_action(rig)
        if rng.random() < 0.3:
            rig.hand_rad_s = rng.normal(0, 1.0, 7) * rng.choice([0.0, 0.5, 2.0])
        for _ in range(int(rng.integers(0, 20))):
            rig.tick()
        if rig.controller.fault:  # pushed off for too long: rule 12
            break
    return rig


def test_whatever_the_hand_does_the_tools_command_keeps_its_limits_and_holds_in_the_margin():
    rng = np.random.default_rng(11)
    entered = 0

    for _ in range(max(4, ACTIONS // 5 // EPISODE)):
        rig = play(rng)
        assert_within_limits(rig)
        settle = round(rig.controller.stop_s / FRANKA.period_s) + 1
        since = 0  # ticks in the margin without a break
        for inside, holding, step_m in rig.held:
            since = since + 1 if inside else 0
            assert holding or not inside
            assert since <= settle or step_m < AT_REST_M
            entered += since == 1
        assert {event.rule for event in rig.told("joint_limit")} <= {11}

    assert entered > 10  # hands really were laid on


def test_out_of_the_margin_a_new_action_moves_the_arm_again() -> None:
    rig = CompliantRig()
    state = rig.states["arm"]
    speeds = np.array([0.0, 0.0, 0.7, 0.0, 0.0, 0.0, 0.0])
    rig.overrides["arm"] = {"joint_speeds_rad_s": speeds}
    rig.submit(rig.home_action((0.0, 0.0, 0.03)))
    assert rig.seconds(0.3).holding
    np.testing.assert_allclose(rig.positions[-1][0], state.tcp_position_m, atol=1e-6)
    rig.overrides.clear()
    rig.seconds(0.3)
    np.testing.assert_allclose(rig.positions[-1][0], state.tcp_position_m, atol=1e-6)

    rig.submit(rig.home_action((0.0, 0.0, 0.03)))
    rig.seconds(1.0)

    assert rig.positions[-1][0][2] - state.tcp_position_m[2] == pytest.approx(0.03, abs=1e-4)


def test_rule_12_a_tool_that_is_held_back_holds_and_then_stops_the_rig() -> None:
    rig = CompliantRig()
    away_m = np.add(rig.homes["arm"].tcp_position_m, (0.09, 0.0, 0.0))
    rig.overrides["arm"] = {"tcp_position_m": away_m}
    rig.seconds(0.1)
    assert [event.rule for event in rig.told("tracking")] == [12]
    assert rig.controller.fault is None
    rig.seconds(0.3)

    assert isinstance(rig.controller.fault, TrackingFault)
    assert "0.090 m off its command; 0.08 m are allowed" in str(rig.controller.fault)


def test_a_compliant_arm_that_stands_outside_its_workspace_may_not_start() -> None:
    rig = CompliantRig()
    outside = replace(rig.states["arm"], tcp_position_m=np.array([0.9, 0.0, 0.3]))
    with pytest.raises(StartPoseError, match="workspace"):
        Controller(FRANKA, {"arm": outside}, 0.0)
