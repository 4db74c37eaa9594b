"""Rigs in virtual time: perfect arms that do as they are told, and faults on request."""

import os
from dataclasses import replace

import numpy as np

from tinyvla_gym import pose
from tinyvla_gym.robots.controller import Controller
from tinyvla_gym.robots.coordinates import kinematics_of
from tinyvla_gym.robots.rig_file import load_rig
from tinyvla_gym.robots.state import ArmState

PAIR = load_rig("ur5e_bimanual")
FRANKA = load_rig("franka_fr3")
JOINT_PAIR = replace(PAIR, control="joint")
JOINT_FRANKA = replace(FRANKA, control="joint")


def own_address(last):
    """A loopback address that no other test process uses at the same time."""
    pid = os.getpid()
    return f"127.{1 + pid // 250 % 250}.{1 + pid % 250}.{last}"


def state_at(arm, joints_rad, stamp_s=0.0):
    """What an arm that rests at some joint angles reads."""
    joints_rad = np.array(joints_rad, np.float64)
    position_m, rotation = kinematics_of(arm).tool_pose(joints_rad)
    return ArmState(
        stamp_s=stamp_s,
        joints_rad=joints_rad,
        joint_speeds_rad_s=np.zeros(len(joints_rad)),
        tcp_position_m=position_m,
        tcp_rotation=rotation,
        force_n=np.zeros(3),
        gripper_open_frac=1.0,
    )


class VirtualRig:
    """A controller whose arms are where they are told to be, one tick later."""

    def __init__(self, rig=PAIR):
        self.rig = rig
        self.now_s = 0.0
        self.states = {arm.name: state_at(arm, arm.home_rad) for arm in rig.arms}
        self.homes = dict(self.states)
        self.controller = Controller(rig, self.states, 0.0)
        self.events = []
        at_rest = [self.states[arm.name] for arm in rig.arms]
        joints = rig.control == "joint" or rig.arms[0].arm.tracking == "joint"
        self.joints = [[state.joints_rad if joints else None for state in at_rest]]
        self.positions = [[state.tcp_position_m for state in at_rest]]
        self.rotations = [[state.tcp_rotation for state in at_rest]]
        self.overrides = {}  # arm name -> what its readings are changed by
        self.follows = True

    def home_action(self, arm_moves_m=(0.0, 0.0, 0.0), opening=1.0):
        """The action that asks every arm for its home pose, moved a little."""
        parts = []
        for arm in self.rig.arms:
            home = self.homes[arm.name]
            if self.rig.control == "joint":
                parts.append(np.append(home.joints_rad, opening))
                continue
            at_m = home.tcp_position_m + np.array(arm_moves_m)
            parts.append(pose.pack(at_m, home.tcp_rotation, opening))
        return np.concatenate(parts).astype(np.float64)

    def submit(self, action, due_s=1 / 15):
        self.controller.submit(self.now_s, [(self.now_s + due_s, action)])

    def tick(self, period_s=None, *, heartbeat=True):
        self.now_s += self.rig.period_s if period_s is None else period_s
        if heartbeat:
            self.controller.heartbeat(self.now_s)
        fresh = {name: replace(one, stamp_s=self.now_s) for name, one in self.states.items()}
        seen = {name: replace(one, **self.overrides.get(name, {})) for name, one in fresh.items()}
        commands = self.controller.tick(self.now_s, {n: s for n, s in seen.items() if s})
        self.events += commands.events
        for arm, command in zip(self.rig.arms, commands.arms, strict=True):
            if not self.follows:
                continue
            reading = self.states[arm.name]
            reading = replace(
                reading, tcp_position_m=command.tcp_position_m, tcp_rotation=command.tcp_rotation
            )
            if command.joints_rad is not None:
                reading = replace(reading, joints_rad=command.joints_rad)
            self.states[arm.name] = reading
        self.joints.append([command.joints_rad for command in commands.arms])
        self.positions.append([command.tcp_position_m for command in commands.arms])
        self.rotations.append([command.tcp_rotation for command in commands.arms])
        return commands

    def ticks(self, count, **settings):
        return [self.tick(**settings) for _ in range(count)][-1]

    def seconds(self, duration_s):
        return self.ticks(round(duration_s / self.rig.period_s))

    def told(self, name):
        """Events of a name."""
        return [event for event in self.events if event.name == name]


def differences(positions, order, period_s):
    """Derivatives of a commanded path by differences, rest before it included."""
    positions = np.array(positions)
    padded = np.concatenate([positions[:1]] * order + [positions])
    return np.diff(padded, order, axis=0) / period_s**order
