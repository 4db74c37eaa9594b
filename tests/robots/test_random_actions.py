"""Random actions, good and bad, in a stream: no command ever leaves a limit.

``TINYVLA_RANDOM_ACTIONS=200000`` plays that many; without it there are 2,000.
"""

import os
from dataclasses import replace

import numpy as np
import pytest
from rigs import FRANKA, JOINT_FRANKA, JOINT_PAIR, PAIR, VirtualRig, differences

from tinyvla_gym.errors import ActionNotFiniteError
from tinyvla_gym.robots.clearance import Clearance
from tinyvla_gym.robots.faults import ActionRefused
from tinyvla_gym.robots.fence import Fence
from tinyvla_gym.robots.limits import PROFILES

ACTIONS = int(os.environ.get("TINYVLA_RANDOM_ACTIONS", "2000"))
RIGS = {
    "pair": PAIR,
    "pair in joints": JOINT_PAIR,
    "franka": FRANKA,
    "franka in joints": JOINT_FRANKA,
    "fast pair": replace(PAIR, limits=PROFILES["fast"], jump_policy="clip"),
}
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


def play(rig, actions, rng):
    """Plays one episode of random actions; returns the rig and where actions were refused."""
    virtual = VirtualRig(rig)
    good = virtual.home_action()
    refused = []
    for _ in range(actions):
        action = wander(rig, good, rng)
        ticks = int(rng.integers(0, 20))  # early, in time, late, and dropped
        chunk = [(virtual.now_s + rng.uniform(-0.1, 0.3), action)]
        if rng.random() < 0.2:
            chunk = [(virtual.now_s + i / 15, wander(rig, good, rng)) for i in range(4)]
        try:
            virtual.controller.submit(virtual.now_s, chunk)
            good = np.nan_to_num(action, posinf=0.0, neginf=0.0)
        except (ActionRefused, ActionNotFiniteError):
            refused.append(len(virtual.positions))
            good = virtual.home_action() if rng.random() < 0.5 else good
        for _ in range(ticks):
            virtual.tick()
        assert virtual.controller.fault is None
        if rng.random() < 0.1:
            good = current_action(virtual)
    virtual.seconds(0.6)
    return virtual, refused


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


def assert_apart(virtual):
    if len(virtual.rig.arms) == 2:
        clearance = Clearance(virtual.rig)
        for row in virtual.joints[::10]:
            now = [np.tile(joints, (3, 1)) for joints in row]
            assert clearance.between(now) >= virtual.rig.limits.arms_hold_m


@pytest.mark.parametrize("name", RIGS)
def test_no_random_action_makes_a_command_leave_a_limit(name: str) -> None:
    rng = np.random.default_rng(7)
    events = refusals = 0

    for _ in range(max(1, ACTIONS // len(RIGS) // EPISODE)):
        virtual, refused = play(RIGS[name], EPISODE, rng)
        assert_within_limits(virtual)
        assert_apart(virtual)
        refusals += len(refused)
        events += len(virtual.events)

    assert refusals > 50  # the stream really was bad
    assert events > refusals


@pytest.mark.parametrize("name", RIGS)
def test_a_refused_action_moves_nothing_beyond_the_decelerating_hold(name: str) -> None:
    bad = VirtualRig(RIGS[name])
    quiet = VirtualRig(RIGS[name])
    first = bad.home_action()
    first[:2] += 0.04
    for virtual in (bad, quiet):
        virtual.submit(first)
        virtual.seconds(0.2)  # in full motion

    quiet.controller.hold(quiet.now_s)
    with pytest.raises((ActionRefused, ActionNotFiniteError)):
        bad.submit(np.full(len(first), np.nan))
    for virtual in (bad, quiet):
        virtual.seconds(virtual.controller.stop_s + 0.1)

    np.testing.assert_array_equal(bad.positions, quiet.positions)
    speeds = np.linalg.norm(differences([row[0] for row in bad.positions], 1, 1.0), axis=1)
    assert speeds[:-20].max() > 0
    assert speeds[-10:].max() < 1e-12
