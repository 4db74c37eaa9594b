"""Touched spots put the bases, the table and the tools where they are."""

from dataclasses import replace

import numpy as np
import pytest
from rigs import FRANKA, PAIR

from tinyvla_gym.errors import UnknownNameError
from tinyvla_gym.robots.calibration.fitting import CalibrationError
from tinyvla_gym.robots.calibration.steps import (
    calibrate_bases,
    calibrate_gripper,
    calibrate_table,
    calibrate_tool,
    with_arm,
)
from tinyvla_gym.robots.calibration.touches import Touches, parse_touches, write_touches
from tinyvla_gym.robots.kinematics import Kinematics
from tinyvla_gym.robots.rig_file import SHIPPED, load_rig, parse_rig, updated_rig
from tinyvla_gym.robots.rotations import rotation_from_rotvec

SPOTS_M = np.random.default_rng(3).uniform((-0.2, -0.2, 0.0), (0.2, 0.2, 0.3), (8, 3))
LEFT, RIGHT = PAIR.arms


def seen_from(arm, spots_m):
    """Spots of the world in an arm's base frame."""
    return (spots_m - np.array(arm.base_position_m)) @ arm.base_rotation


def touched_by_both(right, noise_m=0.0):
    noise = np.random.default_rng(4).normal(size=SPOTS_M.shape) * noise_m
    pairs = zip(seen_from(LEFT, SPOTS_M), seen_from(right, SPOTS_M + noise), strict=True)
    return Touches(bases=[{"left": a.tolist(), "right": b.tolist()} for a, b in pairs])


def test_the_second_base_is_found_where_it_really_stands() -> None:
    really = replace(RIGHT, base_position_m=(-0.44, -0.36, 0.01), base_rotvec_rad=(0.0, 0.02, 3.1))

    rig = calibrate_bases(PAIR, touched_by_both(really)).rig

    np.testing.assert_allclose(rig.arms[1].base_position_m, really.base_position_m, atol=1e-5)
    np.testing.assert_allclose(rig.arms[1].base_rotation, really.base_rotation, atol=1e-5)
    assert rig.arms[0] == LEFT
    assert rig.calibration_residual_m == pytest.approx(0.0, abs=1e-5)


def test_the_residual_is_the_worst_spot() -> None:
    rig = calibrate_bases(PAIR, touched_by_both(RIGHT, noise_m=0.004)).rig

    assert rig.calibration_residual_m is not None
    assert 0.004 < rig.calibration_residual_m < 0.02


def test_one_arm_has_no_partner_and_half_a_spot_is_none() -> None:
    with pytest.raises(CalibrationError, match="one arm"):
        calibrate_bases(FRANKA, Touches())
    with pytest.raises(CalibrationError, match="Spot 1 of bases needs both left and right"):
        calibrate_bases(PAIR, Touches(bases=[{"left": [0.0, 0.0, 0.0]}]))


def test_the_table_comes_to_lie_at_height_zero_and_the_arms_stay_together() -> None:
    lean = rotation_from_rotvec(np.array([0.02, -0.01, 0.0]))
    flat_m = np.column_stack([SPOTS_M[:, :2], np.zeros(len(SPOTS_M))]) @ lean.T + (0, 0, 0.03)
    touches = Touches(
        table={
            "left": seen_from(LEFT, flat_m[:4]).tolist(),
            "right": seen_from(RIGHT, flat_m[4:]).tolist(),
        }
    )

    rig = calibrate_table(PAIR, touches).rig

    left, right = rig.arms
    for arm, old, part in ((left, LEFT, flat_m[:4]), (right, RIGHT, flat_m[4:])):
        world_m = seen_from(old, part) @ arm.base_rotation.T + np.array(arm.base_position_m)
        np.testing.assert_allclose(world_m[:, 2], 0.0, atol=1e-5)
    before = LEFT.base_rotation.T @ np.subtract(RIGHT.base_position_m, LEFT.base_position_m)
    after = left.base_rotation.T @ np.subtract(right.base_position_m, left.base_position_m)
    np.testing.assert_allclose(after, before, atol=1e-5)
    assert rig.table_residual_m == pytest.approx(0.0, abs=1e-5)


def test_a_wall_is_no_table() -> None:
    wall_m = np.column_stack([SPOTS_M[:, 0], np.full(len(SPOTS_M), 0.4), SPOTS_M[:, 2]])

    with pytest.raises(CalibrationError, match="leans by 90 degrees"):
        calibrate_table(PAIR, Touches(table={"left": seen_from(LEFT, wall_m).tolist()}))


def test_a_tool_is_found_from_poses_about_one_spot() -> None:
    tip_m = np.array([0.004, -0.003, 0.171])
    kinematics = Kinematics(LEFT.arm, tcp_offset_m=tip_m)
    spot_m, _ = kinematics.tool_pose(np.array(LEFT.home_rad))
    poses = [_on_spot(kinematics, spot_m, seed) for seed in range(6)]

    found = calibrate_tool(PAIR, Touches(tool={"left": poses}), "left").rig.arms[0]

    np.testing.assert_allclose(found.tcp_offset_m, tip_m, atol=1e-4)
    assert found.tcp_residual_m == pytest.approx(0.0, abs=1e-4)


def _on_spot(kinematics, spot_m, seed):
    """Joint angles near home, drawn at random and then pulled until the tip is on the spot."""
    joints_rad = np.array(LEFT.home_rad) + np.random.default_rng(seed).uniform(-0.5, 0.5, 6)
    for _ in range(30):
        away_m = spot_m - kinematics.tool_pose(joints_rad)[0]
        joints_rad = joints_rad + np.linalg.pinv(kinematics.jacobian(joints_rad)[:3]) @ away_m
    return joints_rad.tolist()


def test_gripper_counts_are_taken_over_for_one_arm() -> None:
    touches = Touches(gripper={"right": {"counts_open": 5, "counts_closed": 220}})

    left, right = calibrate_gripper(PAIR, touches, "right").rig.arms

    assert (right.gripper.counts_open, right.gripper.counts_closed) == (5, 220)
    assert left == LEFT
    with pytest.raises(CalibrationError, match="counts_open"):
        calibrate_gripper(PAIR, touches, "left")
    with pytest.raises(UnknownNameError, match="rihgt"):
        calibrate_gripper(PAIR, touches, "rihgt")


def test_touches_read_back_as_they_were_written() -> None:
    touches = touched_by_both(RIGHT)
    touches.gripper = {"left": {"counts_open": 3, "counts_closed": 228}}

    assert parse_touches(write_touches(touches), name="again") == touches


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[1, 2", "not YAML"),
        ("3", "must have parts"),
        ("bases: {left: [1, 2, 3]}", "bases is not written"),
        ("tabel: {}", "Did you mean 'table'"),
    ],
)
def test_a_file_that_holds_no_touches_is_refused(text: str, problem: str) -> None:
    with pytest.raises((CalibrationError, UnknownNameError), match=problem):
        parse_touches(text, name="touches.yaml")


def test_a_rig_file_keeps_what_calibration_does_not_know() -> None:
    text = (SHIPPED / "ur5e_bimanual.yaml").read_text()
    after = replace(with_arm(PAIR, replace(LEFT, tcp_residual_m=0.001)), table_residual_m=0.002)

    updated = updated_rig(text, PAIR, after)

    assert parse_rig(updated, name="again") == after
    assert updated.startswith(text.splitlines()[0])
    assert "profile: eval" in updated
    assert "tcp_speed" not in updated


def test_a_rig_without_a_change_reads_back_equal() -> None:
    rig = load_rig("franka_fr3")
    text = (SHIPPED / "franka_fr3.yaml").read_text()

    assert parse_rig(updated_rig(text, rig, rig), name="again") == rig
