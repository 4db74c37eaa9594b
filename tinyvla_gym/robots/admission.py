"""Whether a target may be asked of an arm: rules 5 to 8 of the safety filter, and 11 for joints."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.actions import JointTarget, PoseTarget, Target
from tinyvla_gym.robots.faults import SafetyEvent, TargetJumpError, WorkspaceError
from tinyvla_gym.robots.fence import Fence
from tinyvla_gym.robots.kinematics import Kinematics
from tinyvla_gym.robots.limits import SafetyLimits
from tinyvla_gym.robots.rotations import (
    angle_between,
    rotation_from_rotvec,
    rotvec_from_rotation,
)
from tinyvla_gym.robots.spec import ArmSpec, JumpPolicy

Array = NDArray[np.float64]

_SHARES = np.linspace(0.0, 1.0, 65)  # of the way to a joint target that are looked at


class Admission:
    """Refuses targets of one arm, or moves them to where they may be."""

    def __init__(
        self,
        arm: ArmSpec,
        limits: SafetyLimits,
        *,
        fence: Fence,
        kinematics: Kinematics,
        jump_policy: JumpPolicy,
    ) -> None:
        """Keeps the facts about the arm."""
        self._arm = arm.name
        self._limits = limits
        self._fence = fence
        self._kinematics = kinematics
        self._jump_policy = jump_policy
        self._low = np.array(arm.arm.joint_low_rad) + limits.joint_margin_rad
        self._high = np.array(arm.arm.joint_high_rad) - limits.joint_margin_rad

    def admit(
        self, target: Target, before: Target, now_s: float
    ) -> tuple[Target, tuple[SafetyEvent, ...]]:
        """Applies the rules to one target.

        Args:
            target: What is asked.
            before: What is commanded now, or the target before in the same chunk.
            now_s: The time to write into events [s].

        Returns:
            The target to carry out, and what was changed about it.

        Raises:
            TargetJumpError: Rule 5, if it is too far from ``before``.
            WorkspaceError: Rule 6, if it is far outside the workspace.
        """
        events: list[SafetyEvent] = []
        if isinstance(target, JointTarget) and isinstance(before, JointTarget):
            target = self._limit_joints(target, now_s, events)
            target = self._limit_joint_jump(target, before, now_s, events)
            return self._fence_joints(target, before, now_s, events), tuple(events)
        assert isinstance(target, PoseTarget)
        assert isinstance(before, PoseTarget)
        target = self._limit_jump(target, before, now_s, events)
        return self._fence_pose(target, now_s, events), tuple(events)

    def _limit_jump(
        self, target: PoseTarget, before: PoseTarget, now_s: float, events: list[SafetyEvent]
    ) -> PoseTarget:
        """Rule 5."""
        step_m = target.position_m - before.position_m
        away_m = float(np.linalg.norm(step_m))
        away_rad = angle_between(before.rotation, target.rotation)
        share = self._jump_share(away_m, away_rad)
        if share == 1.0:
            return target
        turn = rotvec_from_rotation(target.rotation @ before.rotation.T)
        nearer = replace(
            target,
            position_m=before.position_m + share * step_m,
            rotation=rotation_from_rotvec(share * turn) @ before.rotation,
        )
        events.append(self._event(now_s, 5, "jump_clipped", _numbers(target), _numbers(nearer)))
        return nearer

    def _jump_share(self, away_m: float, away_rad: float) -> float:
        """Share of a jump that may be made; refuses one that is too far if that is the policy."""
        most = (self._limits.jump_m, self._limits.jump_rad)
        if away_m <= most[0] and away_rad <= most[1]:
            return 1.0
        if self._jump_policy == "reject":
            raise TargetJumpError(self._arm, away_m, away_rad, most)
        return min(most[0] / max(away_m, most[0]), most[1] / max(away_rad, most[1]))

    def _fence_pose(
        self, target: PoseTarget, now_s: float, events: list[SafetyEvent]
    ) -> PoseTarget:
        """Rules 6, 7 and 8, one after another; 7 again if turning lowered a fingertip."""
        outside_m = self._fence.outside_m(target.position_m)
        if outside_m > self._limits.workspace_reject_m:
            raise WorkspaceError(self._arm, target.position_m.tolist(), outside_m)
        position_m, rotation = target.position_m, target.rotation
        for rule, name in ((6, "workspace"), (7, "table"), (8, "tilt"), (7, "table")):
            old_m, old = position_m, rotation
            if rule == 6:
                position_m = self._fence.keep_in_workspace(position_m)
            elif rule == 7:
                position_m = self._fence.keep_over_table(position_m, rotation)
            else:
                rotation = self._fence.keep_in_cone(rotation)
            if max(np.abs(position_m - old_m).max(), np.abs(rotation - old).max()) > 1e-9:
                asked = replace(target, position_m=old_m, rotation=old)
                given = replace(target, position_m=position_m, rotation=rotation)
                events.append(self._event(now_s, rule, name, _numbers(asked), _numbers(given)))
        return replace(target, position_m=position_m, rotation=rotation)

    def _limit_joints(
        self, target: JointTarget, now_s: float, events: list[SafetyEvent]
    ) -> JointTarget:
        """Rule 11, for targets: joints stay a margin away from their limits."""
        clipped = np.clip(target.joints_rad, self._low, self._high)
        if (clipped == target.joints_rad).all():
            return target
        original, applied = tuple(target.joints_rad.tolist()), tuple(clipped.tolist())
        events.append(self._event(now_s, 11, "joint_limit", original, applied))
        return replace(target, joints_rad=clipped)

    def _limit_joint_jump(
        self, target: JointTarget, before: JointTarget, now_s: float, events: list[SafetyEvent]
    ) -> JointTarget:
        """Rule 5, for joint targets: judged by where the tool goes and by each joint's turn."""
        (from_m, from_rotation), (to_m, to_rotation) = (
            self._kinematics.tool_pose(joints) for joints in (before.joints_rad, target.joints_rad)
        )
        turned_rad = float(np.abs(target.joints_rad - before.joints_rad).max())
        away_rad = max(turned_rad, angle_between(from_rotation, to_rotation))
        share = self._jump_share(float(np.linalg.norm(to_m - from_m)), away_rad)
        return self._part_way(target, before, share, now_s, events, (5, "jump_clipped"))

    def _fence_joints(
        self, target: JointTarget, before: JointTarget, now_s: float, events: list[SafetyEvent]
    ) -> JointTarget:
        """Rules 6, 7 and 8, for joint targets: stop where the way there leaves the region."""
        to_m, _ = self._kinematics.tool_pose(target.joints_rad)
        outside_m = self._fence.outside_m(to_m)
        if outside_m > self._limits.workspace_reject_m:
            raise WorkspaceError(self._arm, to_m.tolist(), outside_m)
        way = before.joints_rad + _SHARES[:, None] * (target.joints_rad - before.joints_rad)
        frames = self._kinematics.forward(way)
        inside = 0
        for inside in range(len(_SHARES)):
            leaves = self._fence.breach(
                frames.position_m[inside : inside + 1], frames.rotation[inside : inside + 1]
            )
            if leaves:
                share = float(_SHARES[max(0, inside - 1)])
                return self._part_way(target, before, share, now_s, events, leaves)
        return target

    def _part_way(
        self,
        target: JointTarget,
        before: JointTarget,
        share: float,
        now_s: float,
        events: list[SafetyEvent],
        why: tuple[int, str],
    ) -> JointTarget:
        """A joint target part of the way to another, with the event that says so."""
        if share == 1.0:
            return target
        joints_rad = before.joints_rad + share * (target.joints_rad - before.joints_rad)
        original, applied = tuple(target.joints_rad.tolist()), tuple(joints_rad.tolist())
        events.append(self._event(now_s, *why, original, applied))
        return replace(target, joints_rad=joints_rad)

    def _event(
        self,
        now_s: float,
        rule: int,
        name: str,
        original: tuple[float, ...],
        applied: tuple[float, ...],
    ) -> SafetyEvent:
        return SafetyEvent(
            time_s=now_s, arm=self._arm, rule=rule, name=name, original=original, applied=applied
        )


def _numbers(target: PoseTarget) -> tuple[float, ...]:
    """Position and first two rows of the rotation, nine numbers."""
    return (*target.position_m.tolist(), *target.rotation[:2].reshape(6).tolist())
