"""Random actions, good and bad, and what must be true of the commands that follow them."""

import os

import numpy as np
from rigs import differences

from tinyvla_gym.robots.fence import Fence

ACTIONS = int(os.environ.get("TINYVLA_RANDOM_ACTIONS", "2000"))
EPISODE = 50  # actions
EXACT = 1 + 1e-6


def wander(rig, action, rng):
    """A next action: near the last, far, or nonsense."""
    step = rng.normal(0, 0.02, len(action)) * rng.choice([0.2, 1.0, 4.0])
    action = action + step
    kind = rng.integers(14)
    if kind == 0:
        action[rng.integers(len(action))] = rng.choice([np.nan, np.inf, -np.inf])
    elif kind == 1:
        action += rng.normal(0, 1.0, len(action))  # jump, non-orthogonal, out of the workspace
    elif kind == 2:
        action = action[: rng.integers(1, len(action))]  # the wrong shape
    elif kind == 3:
        action *= rng.choice([1e9, 1e300])
    elif kind == 4 and rig.control == "ee":
        action[3:6] = action[6:9]  # parallel rows
    elif kind == 5:
        action[:3] = rng.uniform(-1, 1, 3) * rng.choice([0.3, 1.0])
    return action


def current_action(virtual):
    """Asks every arm to stay where it is."""
    virtual.homes = dict(virtual.states)
    return virtual.home_action()


def assert_within_limits(virtual):
    rig, limits, period_s = virtual.rig, virtual.rig.limits, virtual.rig.period_s
    for index, arm in enumerate(rig.arms):
        positions = np.array([row[index] for row in virtual.positions])
        rotations = np.array([row[index] for row in virtual.rotations])
        assert Fence(arm, limits).breach(positions, rotations) is None
        for order, most in enumerate(
            (limits.tcp_speed_m_s, limits.tcp_acceleration_m_s2, limits.tcp_jerk_m_s3), 1
        ):
            speeds = np.linalg.norm(differences(positions, order, period_s), axis=1)
            assert speeds.max() <= most * EXACT, (arm.name, order, speeds.max(), most)
        turns = np.linalg.norm(np.diff(rotations, axis=0), axis=(1, 2)) / np.sqrt(8)
        turned_rad_s = 2 * np.arcsin(np.minimum(1.0, turns)) / period_s
        assert turned_rad_s.max() <= limits.tcp_rotation_speed_rad_s * EXACT
        if virtual.joints[0][index] is not None:
            assert_joints_within_limits(virtual, index)


def assert_joints_within_limits(virtual, index):
    limits, period_s = virtual.rig.limits, virtual.rig.period_s
    model = virtual.rig.arms[index].arm
    joints = np.array([row[index] for row in virtual.joints])
    margin = limits.joint_margin_rad
    assert (joints >= np.array(model.joint_low_rad) + margin - 1e-6).all()
    assert (joints <= np.array(model.joint_high_rad) - margin + 1e-6).all()
    down, up = model.joint_speed_max(joints)
    speed = differences(joints, 1, period_s)
    assert (speed <= limits.joint_speed_frac * up + 1e-6).all()
    assert (speed >= limits.joint_speed_frac * down - 1e-6).all()
    acceleration = np.abs(differences(joints, 2, period_s)).max()
    assert acceleration <= limits.joint_acceleration_rad_s2 * EXACT
    assert np.abs(differences(joints, 3, period_s)).max() <= limits.joint_jerk_rad_s3 * EXACT
