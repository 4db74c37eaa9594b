"""Random actions, good and bad, in a stream: no command ever leaves a limit.

``TINYVLA_RANDOM_ACTIONS=200000`` plays that many; without it there are 2,000.
"""

from dataclasses import replace

import numpy as np
import pytest
from random_actions import ACTIONS, EPISODE, assert_within_limits, current_action, wander
from rigs import FRANKA, JOINT_FRANKA, JOINT_PAIR, PAIR, VirtualRig, differences

from tinyvla_gym.errors import ActionNotFiniteError
from tinyvla_gym.robots.clearance import Clearance
from tinyvla_gym.robots.faults import ActionRefused
from tinyvla_gym.robots.limits import PROFILES

RIGS = {
    "pair": PAIR,
    "pair in joints": JOINT_PAIR,
    "franka": FRANKA,
    "franka in joints": JOINT_FRANKA,
    "fast pair": replace(PAIR, limits=PROFILES["fast"], jump_policy="clip"),
}


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
            good = chunk[-1][1]
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
