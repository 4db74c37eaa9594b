"""Where the tool is, and how to bring it somewhere."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinyvla_gym.robots.hardware import MODELS
from tinyvla_gym.robots.kinematics import Kinematics
from tinyvla_gym.robots.ur_forward import UrKinematics
from tinyvla_gym.robots.ur_inverse import nearest_solution, ur_solutions, ur_solutions_near

ANGLE = st.floats(-3.1, 3.1)
SIX = st.tuples(*[ANGLE] * 6)
UR = pytest.mark.parametrize("name", ["ur5", "ur5e"])
OFFSET_M = np.array([0.01, -0.02, 0.16])


def bare(name: str) -> Kinematics:
    return Kinematics(MODELS[name], tcp_offset_m=np.zeros(3))


def test_known_poses() -> None:
    ur5e, ur5 = MODELS["ur5e"], MODELS["ur5"]
    at_m, rotation = bare("ur5e").tool_pose(np.zeros(6))
    np.testing.assert_allclose(at_m, [-0.8172, -0.2329, 0.0628], atol=1e-9)
    np.testing.assert_allclose(rotation, [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-9)
    at_m, _ = bare("ur5").tool_pose(np.array([0, -np.pi / 2, 0, -np.pi / 2, 0, 0]))
    np.testing.assert_allclose(at_m, [0, -0.19145, 1.001059], atol=1e-6)  # upright
    ready = np.array([0, -np.pi / 4, 0, -3 * np.pi / 4, 0, np.pi / 2, np.pi / 4])
    hand = Kinematics(MODELS["fr3"], tcp_offset_m=np.array([0, 0, 0.1034]), tcp_yaw_rad=-np.pi / 4)
    at_m, rotation = hand.tool_pose(ready)
    np.testing.assert_allclose(at_m, [0.3069, 0.0, 0.4869], atol=1e-3)
    np.testing.assert_allclose(rotation, np.diag([1, -1, -1]), atol=1e-9)
    assert ur5e.joints == ur5.joints == 6


@UR
@given(joints=SIX)
@settings(deadline=None)
def test_the_closed_form_agrees_with_the_chain_of_links(name: str, joints) -> None:
    model = MODELS[name]
    chain = Kinematics(model, tcp_offset_m=OFFSET_M, tcp_yaw_rad=0.4)
    closed = UrKinematics(model, tcp_offset_m=OFFSET_M, tcp_yaw_rad=0.4)
    path = np.array([joints, np.zeros(6)])

    at_m, rotation = closed.tool_path(path)

    frames = chain.forward(path)
    np.testing.assert_allclose(at_m, frames.position_m, atol=1e-12)
    np.testing.assert_allclose(rotation, frames.rotation, atol=1e-12)


@UR
@given(joints=SIX)
@example(joints=(0.0, -1.57, 1.57, -1.57, -1.57, 0.0))
@settings(deadline=None)
def test_all_solutions_reach_the_pose_and_the_arms_own_is_among_them(name: str, joints) -> None:
    here = np.array(joints)
    arm = bare(name)
    at_m, rotation = arm.tool_pose(here)

    solutions = ur_solutions(MODELS[name], at_m, rotation, here[5])

    assert 1 <= len(solutions) <= 8
    frames = arm.forward(solutions)
    np.testing.assert_allclose(frames.position_m, np.tile(at_m, (len(solutions), 1)), atol=1e-6)
    np.testing.assert_allclose(
        frames.rotation, np.tile(rotation, (len(solutions), 1, 1)), atol=1e-6
    )
    if abs(np.sin(here[4])) > 0.05 and abs(np.sin(here[2])) > 0.05:
        turned = np.abs((solutions - here + np.pi) % (2 * np.pi) - np.pi)
        assert turned.max(axis=1).min() < 1e-4


@UR
def test_eight_solutions_exist_for_an_ordinary_pose(name: str) -> None:
    at_m, rotation = bare(name).tool_pose(np.array([0.3, -1.2, 1.4, -1.5, -1.3, 0.2]))

    assert len(ur_solutions(MODELS[name], at_m, rotation, 0.0)) == 8


@UR
def test_a_pose_out_of_reach_has_no_solution(name: str) -> None:
    assert len(ur_solutions(MODELS[name], np.array([2.0, 0, 0]), np.eye(3), 0.0)) == 0
    assert len(ur_solutions(MODELS[name], np.array([0.0, 0, 0.5]), np.eye(3), 0.0)) == 0


def test_the_nearest_solution_counts_whole_turns_and_respects_limits() -> None:
    solutions = np.array([[3.0], [-1.0]])

    assert nearest_solution(solutions, np.array([-3.2]), np.array([-6.0]), np.array([6.0])) == (
        pytest.approx(3.0 - 2 * np.pi)
    )
    assert nearest_solution(solutions, np.array([-3.2]), np.array([-3.25]), np.array([6.0])) == (
        pytest.approx(-1.0)
    )


@UR
@given(joints=SIX, step=st.tuples(*[st.floats(-0.3, 0.3)] * 6))
@settings(deadline=None)
def test_the_branch_that_the_arm_is_in_gives_the_nearest_of_all_solutions(
    name: str, joints, step
) -> None:
    here, within_rad, most = np.array(joints), 0.5, np.full(6, 6.2)
    at_m, rotation = bare(name).tool_pose(here + step)
    all_of_them = ur_solutions(MODELS[name], at_m, rotation, here[5])

    few = ur_solutions_near(MODELS[name], at_m, rotation, here, within_rad)

    nearest = nearest_solution(all_of_them, here, -most, most)
    if np.abs(nearest - here).max() < within_rad - 1e-9:
        np.testing.assert_allclose(nearest_solution(few, here, -most, most), nearest, atol=1e-12)
    else:
        assert len(few) <= (np.abs(nearest - here).max() < within_rad + 1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_the_jacobian_is_the_derivative(name: str) -> None:
    arm = Kinematics(MODELS[name], tcp_offset_m=OFFSET_M)
    here = np.linspace(-1.2, 1.4, arm.model.joints)
    tiny = 1e-6

    jacobian = arm.jacobian(here)

    for joint in range(arm.model.joints):
        step = np.eye(arm.model.joints)[joint] * tiny
        (plus_m, plus), (minus_m, minus) = arm.tool_pose(here + step), arm.tool_pose(here - step)
        turn = (plus @ minus.T - minus @ plus.T) / (4 * tiny)
        numeric = [*(plus_m - minus_m) / (2 * tiny), turn[2, 1], turn[0, 2], turn[1, 0]]
        np.testing.assert_allclose(jacobian[:, joint], numeric, atol=1e-8)


@UR
@given(joints=SIX)
@settings(deadline=None)
def test_the_condition_number_is_right_or_surely_small(name: str, joints) -> None:
    arm = UrKinematics(MODELS[name], tcp_offset_m=np.array([0, 0, 0.16]))
    here = np.array(joints)
    true = np.linalg.cond(arm.jacobian(here))

    said = arm.condition(here)

    assert true < 50 if said == 1.0 else said == pytest.approx(true, rel=1e-3) or true > 1e6


@UR
def test_the_skeleton_ends_at_the_tool(name: str) -> None:
    arm = UrKinematics(MODELS[name], tcp_offset_m=np.array([0, 0, 0.16]))
    path = np.random.default_rng(0).uniform(-3, 3, (20, 6))

    corners = arm.skeleton(path)

    np.testing.assert_allclose(corners[:, 5], arm.tool_path(path)[0], atol=1e-12)
    np.testing.assert_allclose(corners[:, 4], arm.forward(path).joint_places_m[:, 4], atol=1e-12)


def test_the_fr3_slows_down_towards_its_joint_limits() -> None:
    fr3 = MODELS["fr3"]
    middle = (np.array(fr3.joint_low_rad) + np.array(fr3.joint_high_rad)) / 2

    down, up = fr3.joint_speed_max(np.array([middle, fr3.joint_high_rad]))

    assert (up[1] == 0).all()
    assert (down[1] < 0).all()
    np.testing.assert_allclose(up[0][0], 2.62)
    near = np.array(fr3.joint_high_rad) - 0.1
    expected = min(2.62, -0.30 + np.sqrt(12.0 * 0.1))
    np.testing.assert_allclose(fr3.joint_speed_max(near)[1][0], expected)
