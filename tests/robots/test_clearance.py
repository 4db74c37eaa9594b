"""How near two arms are."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import PAIR, VirtualRig

from tinyvla_gym.robots.clearance import Clearance, segment_distances

POINT = st.tuples(*[st.floats(-1, 1)] * 3)
SHARES = np.linspace(0, 1, 60)


@given(POINT, POINT, POINT, POINT)
@settings(deadline=None)
def test_the_distance_between_segments_is_the_least_between_their_points(a, b, c, d) -> None:
    first = np.array(a) + SHARES[:, None] * np.subtract(b, a)
    second = np.array(c) + SHARES[:, None] * np.subtract(d, c)
    sampled = np.linalg.norm(first[:, None] - second[None], axis=2).min()

    exact = float(segment_distances(*(np.array([point]) for point in (a, b, c, d)))[0])

    assert exact <= sampled + 1e-6
    longest = np.linalg.norm(np.subtract(b, a)) + np.linalg.norm(np.subtract(d, c))
    assert sampled - exact <= longest / 59 + 1e-6


def test_the_pace_falls_from_one_to_zero() -> None:
    clearance = Clearance(PAIR)

    assert clearance.pace(0.2) == 1.0
    assert clearance.pace(0.12) == 1.0
    assert abs(clearance.pace(0.08) - 0.5) < 1e-9
    assert clearance.pace(0.04) == clearance.pace(-1.0) == 0.0


def test_the_same_calls_command_the_same() -> None:
    first, second = VirtualRig(PAIR), VirtualRig(PAIR)
    for virtual in (first, second):
        virtual.submit(virtual.home_action((0.03, 0.02, -0.01)))
        virtual.seconds(0.3)

    np.testing.assert_array_equal(first.joints, second.joints)
