"""The steps of a calibration that need no camera: each takes a rig and returns a better one."""

from dataclasses import dataclass, replace
from math import degrees

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import UnknownNameError
from tinyvla_gym.robots.calibration.fitting import (
    CalibrationError,
    fit_plane,
    fit_rigid,
    fit_tip,
)
from tinyvla_gym.robots.calibration.touches import Touches
from tinyvla_gym.robots.kinematics import Kinematics
from tinyvla_gym.robots.rotations import rotation_from_rotvec, rotvec_from_rotation
from tinyvla_gym.robots.spec import ArmSpec, RigSpec

_TILT_MAX_RAD = 0.2  # a table that leans more than this was not touched, or the bases are wrong


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a step found.

    Attributes:
        rig: The rig with it.
        facts: What to tell the user, one sentence each.
    """

    rig: RigSpec
    facts: tuple[str, ...]


def arm_named(rig: RigSpec, name: str) -> ArmSpec:
    """One arm of a rig.

    Raises:
        UnknownNameError: If it has no such arm.
    """
    for arm in rig.arms:
        if arm.name == name:
            return arm
    raise UnknownNameError(f"arm of {rig.name}", name, [arm.name for arm in rig.arms])


def with_arm(rig: RigSpec, arm: ArmSpec) -> RigSpec:
    """A rig in which the arm of this name is another."""
    arms = tuple(arm if one.name == arm.name else one for one in rig.arms)
    return replace(rig, arms=arms)


def calibrate_bases(rig: RigSpec, touches: Touches) -> Finding:
    """Places the second arm's base by spots that both arms touched; the first stays.

    Raises:
        CalibrationError: If the rig has one arm, or the spots do not do.
    """
    if len(rig.arms) != 2:
        raise CalibrationError(f"{rig.name} has one arm, whose base needs no partner.")
    first, second = rig.arms
    first_m, second_m = touches.pairs_m(first.name, second.name)
    fit = fit_rigid(second_m, _in_world(first, first_m))
    residual_m = float(fit.errors_m.max())
    moved = _based(second, fit.translation_m, fit.rotation)
    return Finding(
        rig=replace(with_arm(rig, moved), calibration_residual_m=_rounded(residual_m)),
        facts=(
            f"{len(first_m)} spots; the base of {second.name} stands at "
            f"{_shown(moved.base_position_m)} m in the world.",
            f"The worst spot is {1000 * residual_m:.2f} mm off.",
        ),
    )


def calibrate_table(rig: RigSpec, touches: Touches) -> Finding:
    """Turns and shifts the world so that the table lies at height 0; the arms move together.

    Raises:
        CalibrationError: If the spots do not do, or lie in a plane that is no table.
    """
    names = [arm.name for arm in rig.arms if arm.name in touches.table] or [rig.arms[0].name]
    points_m = np.concatenate(
        [_in_world(arm_named(rig, name), touches.of_arm("table", name)) for name in names]
    )
    plane = fit_plane(points_m)
    tilt_rad = float(np.arccos(min(1.0, plane.normal[2])))
    if tilt_rad > _TILT_MAX_RAD:
        raise CalibrationError(
            f"The touched plane leans by {degrees(tilt_rad):.0f} degrees: either it is not the "
            f"table, or the bases in the rig's file are wrong. First calibrate the bases."
        )
    upright = _turn_to_z(plane.normal)
    level_m = np.array([plane.centre_m[0], plane.centre_m[1], 0.0])
    arms = tuple(
        _based(
            arm,
            upright @ (np.array(arm.base_position_m) - plane.centre_m) + level_m,
            upright @ arm.base_rotation,
        )
        for arm in rig.arms
    )
    residual_m = float(plane.errors_m.max())
    return Finding(
        rig=replace(rig, arms=arms, table_residual_m=_rounded(residual_m)),
        facts=(
            f"{len(points_m)} spots; the table was {1000 * plane.centre_m[2]:.1f} mm high and "
            f"leaned by {degrees(tilt_rad):.2f} degrees.",
            f"The worst spot is {1000 * residual_m:.2f} mm off the plane.",
        ),
    )


def calibrate_tool(rig: RigSpec, touches: Touches, arm: str) -> Finding:
    """Finds an arm's TCP offset from poses that keep its tip on one spot.

    Raises:
        UnknownNameError: If there is no such arm.
        CalibrationError: If the poses do not do.
    """
    spec = arm_named(rig, arm)
    joints_rad = touches.of_arm("tool", arm)  # (N, J)
    if joints_rad.ndim != 2 or joints_rad.shape[1] != spec.arm.joints:
        raise CalibrationError(f"A pose of arm {arm} has {spec.arm.joints} joint angles.")
    flange = Kinematics(spec.arm, tcp_offset_m=np.zeros(3)).forward(joints_rad)
    fit = fit_tip(flange.position_m, flange.rotation)
    residual_m = float(fit.errors_m.max())
    found = replace(
        spec,
        tcp_offset_m=tuple(_rounded(float(entry)) for entry in fit.offset_m),
        tcp_residual_m=_rounded(residual_m),
    )
    return Finding(
        rig=with_arm(rig, found),
        facts=(
            f"{len(joints_rad)} poses; the tip is at {_shown(found.tcp_offset_m)} m from the "
            "flange. Enter the same on the controller.",
            f"The worst pose is {1000 * residual_m:.2f} mm off.",
        ),
    )


def calibrate_gripper(rig: RigSpec, touches: Touches, arm: str) -> Finding:
    """Takes over where an arm's gripper is open and where it is closed.

    Raises:
        UnknownNameError: If there is no such arm.
        CalibrationError: If nothing was measured of it.
    """
    spec = arm_named(rig, arm)
    counts = touches.gripper.get(arm, {})
    if set(counts) != {"counts_open", "counts_closed"}:
        raise CalibrationError(f"The gripper of arm {arm} needs counts_open and counts_closed.")
    gripper = replace(spec.gripper, **counts)
    return Finding(
        rig=with_arm(rig, replace(spec, gripper=gripper)),
        facts=(f"{arm}: open at {gripper.counts_open}, closed at {gripper.counts_closed} counts.",),
    )


def _in_world(arm: ArmSpec, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points in an arm's base frame, shape (N, 3), seen from the world."""
    if points_m.ndim != 2 or points_m.shape[1] != 3:
        raise CalibrationError(f"A spot has 3 numbers; those of {arm.name} are {points_m.shape}.")
    return points_m @ arm.base_rotation.T + np.array(arm.base_position_m)


def _based(arm: ArmSpec, position_m: NDArray[np.float64], rotation: NDArray[np.float64]) -> ArmSpec:
    rotvec_rad = rotvec_from_rotation(rotation)
    return replace(
        arm,
        base_position_m=tuple(_rounded(float(entry)) for entry in position_m),
        base_rotvec_rad=tuple(_rounded(float(entry)) for entry in rotvec_rad),
    )


def _turn_to_z(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest rotation that takes a unit vector to the z axis, shape (3, 3)."""
    axis = np.cross(normal, (0.0, 0.0, 1.0))
    sine = float(np.linalg.norm(axis))
    if sine < 1e-12:
        return np.eye(3)
    return rotation_from_rotvec(axis / sine * float(np.arctan2(sine, normal[2])))


def _rounded(value: float) -> float:
    """To a millionth: nobody measures more, and a file is for reading."""
    return round(value, 6)


def _shown(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.4f}" for value in values) + ")"
