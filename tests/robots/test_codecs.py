"""States and actions as numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs import FRANKA, JOINT_FRANKA, JOINT_PAIR, PAIR, state_at
from scipy.spatial.transform import Rotation

from tinyvla_gym import pose
from tinyvla_gym.robots.codecs import encode_state, rig_interface
from tinyvla_gym.robots.rig_file import load_rig, shipped_rigs


@pytest.mark.parametrize(
    ("rig", "state", "action", "mode"),
    [(FRANKA, 10, 10, "ee"), (PAIR, 20, 20, "ee"), (JOINT_FRANKA, 8, 8, "native"),
     (JOINT_PAIR, 14, 14, "native")],
    ids=["franka", "pair", "franka joints", "pair joints"],
)  # fmt: skip
def test_a_rig_has_an_interface(rig, state: int, action: int, mode: str) -> None:
    interface = rig_interface(rig)

    assert (len(interface.state), len(interface.action)) == (state, action)
    assert interface.action_mode == mode
    assert interface.control_hz == 15.0
    interface.action_space()
    interface.observation_space()


def test_one_arm_has_the_names_that_all_bodies_share_and_two_have_sides() -> None:
    assert rig_interface(FRANKA).action == pose.EE_NAMES
    assert rig_interface(PAIR).action[10] == "right_tcp_x_m"
    assert rig_interface(JOINT_PAIR).state[6] == "left_gripper_open_frac"


@pytest.mark.parametrize("name", shipped_rigs())
def test_home_is_inside_both_spaces(name: str) -> None:
    for rig in (load_rig(name), replace(load_rig(name), control="joint")):
        states = [state_at(arm, arm.home_rad) for arm in rig.arms]
        seen = encode_state(rig.codec, states)

        interface = rig_interface(rig)

        assert interface.observation_space()["state"].contains(seen)
        assert interface.action_space().contains(seen)  # state and action share their numbers


@given(st.tuples(*[st.floats(-3, 3)] * 3), st.floats(0, 1))
def test_the_released_state_has_scipys_angles_and_an_inverted_gripper(
    rotvec: tuple[float, ...], opening: float
) -> None:
    rotation = Rotation.from_rotvec(rotvec)
    reading = replace(
        state_at(FRANKA.arms[0], FRANKA.arms[0].home_rad),
        tcp_rotation=rotation.as_matrix(),
        gripper_open_frac=opening,
    )

    seven = encode_state("ee7_euler", [reading])

    again = Rotation.from_euler("xyz", seven[3:6].astype(np.float64))
    assert (again * rotation.inv()).magnitude() < 1e-3
    np.testing.assert_allclose(seven[:3], reading.tcp_position_m, atol=1e-6)
    np.testing.assert_allclose(seven[6], 1 - opening, atol=1e-6)
