"""How one arm moves: from admitted targets to the next command, and never past a safe stop.

In every tick a next input is proposed. Its whole motion until rest is foreseen; only if all of
that keeps every limit is it taken. Otherwise the input stands still, and the arm follows the stop
that was found good in the tick before. So, by induction, whatever is sent keeps the limits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from operator import le

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.actions import JointTarget, PoseTarget, Target
from tinyvla_gym.robots.admission import Admission
from tinyvla_gym.robots.coordinates import SPARE, coordinates_of, kinematics_of
from tinyvla_gym.robots.envelope import Envelope
from tinyvla_gym.robots.faults import Onsets, SafetyEvent, StartPoseError
from tinyvla_gym.robots.fence import Fence
from tinyvla_gym.robots.path import Path, Waypoint
from tinyvla_gym.robots.rotations import TOOL_DOWN, rotation_from_rotvec
from tinyvla_gym.robots.smoothing import PAST, Smoother
from tinyvla_gym.robots.spec import ArmSpec, RigSpec
from tinyvla_gym.robots.state import ArmCommand, ArmState

Array = NDArray[np.float64]

_EASE = 0.5  # pace after a step that would have left the limits
_REGAIN = 1.03  # growth of the pace in every tick that keeps them
_SLOWEST = 0.05
_BREACHES = (
    *((6, "workspace"), (7, "table"), (8, "tilt")),
    *((11, "joint_limit"), (11, "joint_speed")),
)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A next input and all that follows from it.

    Attributes:
        value: The input, shape (n,).
        clock_s: Where the path's clock stands then [s].
        foreseen: Commands from now until rest, ``PAST`` sent ones first, shape (R, n).
        positions_m: Tool positions along them, shape (R, 3).
        rotations: Tool to base along them, shape (R, 3, 3).
    """

    value: Array
    clock_s: float
    foreseen: Array
    positions_m: Array
    rotations: Array


class ArmMotion:
    """The motion of one arm."""

    def __init__(self, rig: RigSpec, arm: ArmSpec, state: ArmState, now_s: float) -> None:
        """Stands still where the arm is.

        Raises:
            StartPoseError: If the arm stands outside its own limits.
        """
        self.arm = arm
        self._limits = rig.limits
        self._period_s = rig.period_s
        self._coordinates = coordinates_of(rig, arm)
        self._in_joints = rig.control == "joint"
        self._fence = Fence(arm, rig.limits)
        self._admission = Admission(
            arm,
            rig.limits,
            fence=self._fence,
            kinematics=kinematics_of(arm),
            jump_policy=rig.jump_policy,
        )
        start = self._coordinates.start(state)
        self._smoother = Smoother(
            start,
            period_s=rig.period_s,
            speed_window_s=self._coordinates.speed_window_s,
            jerk_window_s=self._coordinates.jerk_window_s,
        )
        self._sends_joints = self._in_joints or arm.arm.tracking == "joint"
        self._low = [low + rig.limits.joint_margin_rad for low in arm.arm.joint_low_rad]
        self._high = [high - rig.limits.joint_margin_rad for high in arm.arm.joint_high_rad]
        self._envelope = Envelope(arm, rig.limits, row_s=rig.period_s, in_joints=self._sends_joints)
        self._path = Path(np.zeros(6), state.gripper_open_frac, now_s)
        self.stop(now_s)
        self._pace = 1.0
        self._no_inverse_since_s: float | None = None
        self._told = Onsets(arm.name)
        self._foreseen = self._foresee(start, clock_s=now_s)
        breach = self._breach(self._foreseen)
        if breach:
            raise StartPoseError(arm.name, breach[1], self._foreseen.positions_m[-1].tolist())

    @property
    def settled(self) -> bool:
        """Whether the last command is where the motion rests."""
        return bool(np.abs(self._foreseen.foreseen[PAST] - self._smoother.input).max() < 1e-9)

    @property
    def stop_s(self) -> float:
        """Time from the decision to stop until rest [s]."""
        return self._smoother.settle_ticks * self._period_s

    @property
    def stopping(self) -> Array:
        """Commands from the one just sent until rest, shape (R, n)."""
        return self._foreseen.foreseen[PAST:]

    def submit(
        self, now_s: float, due: Sequence[tuple[float, Target]]
    ) -> tuple[list[Waypoint], list[SafetyEvent]]:
        """Admits targets; the path stays as it is until ``follow``.

        Args:
            now_s: The time now [s].
            due: Times [s] and targets, in order.

        Raises:
            ActionRefused: If one of them may not be asked.
        """
        place = self._place()
        before = self._target_here()
        waypoints: list[Waypoint] = []
        events: list[SafetyEvent] = []
        for due_s, asked in due:
            target, more = self._admission.admit(asked, before, now_s)
            events += more
            place = self._coordinates.place_of_target(target, place)
            opening = target.gripper_open_frac
            waypoints.append(Waypoint(due_s=due_s, place=place, gripper_open_frac=opening))
            before = target
        return waypoints, events

    def follow(self, now_s: float, waypoints: Sequence[Waypoint]) -> list[SafetyEvent]:
        """Sets out for admitted waypoints."""
        speed = self._limits.tcp_speed_m_s * SPARE
        turn = self._limits.tcp_rotation_speed_rad_s * SPARE
        # The newest input stands where the path was in the tick before, not where it is now.
        start_s = min(now_s, max(self._path.clock_s, now_s - 2 * self._period_s))
        plan = self._path.replan(
            self._place(),
            start_s,
            waypoints,
            speed_m_s=inf if self._in_joints else speed,
            rotation_speed_rad_s=inf if self._in_joints else turn,
            late_s=self._limits.late_arrival_s,
        )
        events = []
        if plan.retimed > 1.001:
            events.append(self._told.event(now_s, 9, "retimed", plan.retimed))
        if plan.dropped:
            events.append(self._told.event(now_s, 9, "lagging", float(plan.dropped)))
        return events

    def stop(self, now_s: float) -> None:
        """Forgets where to go: the input stands still from now on."""
        self._path.stop(self._place(), now_s)

    def stay(self) -> Proposal:
        """The proposal that always keeps the limits: the input stands still."""
        before = self._foreseen  # its stop, one tick further on: nothing has to be worked out
        return Proposal(
            value=self._smoother.input,
            clock_s=self._path.clock_s,
            foreseen=_one_tick_on(before.foreseen),
            positions_m=_one_tick_on(before.positions_m),
            rotations=_one_tick_on(before.rotations),
        )

    def propose(self, now_s: float, pace: float) -> tuple[Proposal, list[SafetyEvent]]:
        """The next step along the path, or as much of it as keeps every limit.

        Args:
            now_s: The time of this tick [s].
            pace: Share of the wanted speed that others leave, 0 to 1.
        """
        events: list[SafetyEvent] = []
        if not self._path.finished and now_s - self._path.clock_s > self._limits.late_arrival_s:
            events.append(self._told.event(now_s, 9, "lagging"))
            self.stop(now_s)
        clock_s = min(self._path.clock_s + self._period_s, now_s)
        here = self._smoother.input
        wanted = self._coordinates.input_of_place(self._path.look(clock_s), here)
        ease = self._coordinates.pace(wanted) if wanted is not None else 0.0
        events += self._rule_10_inverse(now_s, ease)
        if wanted is None or ease == 0.0:
            return self.stay(), events
        wanted = self._rule_11_clip(now_s, wanted, events)
        step = wanted - here
        share = self._coordinates.share(step, self._smoother.leaving_step(), self._period_s)
        share = min(share, self._pace, ease, pace)
        ahead_s = self._path.clock_s + share * (clock_s - self._path.clock_s)
        proposal = self._foresee(here + share * step, clock_s=ahead_s)
        breach = self._breach(proposal)
        for rule, name in _BREACHES:
            events += self._told.onset(now_s, rule, name, breach == (rule, name))
        slowed = share < 0.99 or (breach is not None and breach[0] == 9)
        events += self._told.onset(now_s, 9, "retimed", slowed, 1 / max(share, 1e-3))
        if breach:
            self._pace = max(_SLOWEST, self._pace * _EASE)
            return self.stay(), events
        self._pace = min(1.0, self._pace * _REGAIN)
        return proposal, events

    def take(self, proposal: Proposal, *, release: bool) -> ArmCommand:
        """Commits to a proposal and returns its first command."""
        self._smoother.push(proposal.value)
        self._path.advance(proposal.clock_s)
        self._foreseen = proposal
        return ArmCommand(
            joints_rad=proposal.foreseen[PAST] if self._sends_joints else None,
            tcp_position_m=proposal.positions_m[PAST],
            tcp_rotation=proposal.rotations[PAST],
            gripper_open_frac=self._path.gripper_open_frac,
            release=release,
        )

    def _rule_10_inverse(self, now_s: float, ease: float) -> list[SafetyEvent]:
        """Without trustworthy inverse kinematics the arm waits, then gives the path up."""
        events = self._told.onset(now_s, 10, "ik", ease < 1.0, ease)
        if ease > 0.0:
            self._no_inverse_since_s = None
        elif self._no_inverse_since_s is None:
            self._no_inverse_since_s = now_s
        elif now_s - self._no_inverse_since_s > self._limits.ik_hold_s:
            events += self._told.onset(now_s, 10, "ik_hold", not self._path.finished)
            self.stop(now_s)
        return events

    def _rule_11_clip(self, now_s: float, wanted: Array, events: list[SafetyEvent]) -> Array:
        """Joints stay a margin away from their limits, wherever the tool should go."""
        if not self._sends_joints:
            return wanted
        inside = all(map(le, self._low, at := wanted.tolist())) and all(map(le, at, self._high))
        events += self._told.onset(now_s, 11, "joint_clipped", not inside)
        return wanted if inside else np.clip(wanted, self._low, self._high)

    def _place(self) -> Array:
        """Where the newest input stands, in the numbers nearest to the path's."""
        near = self._path.look(self._path.clock_s)
        return self._coordinates.place_of_input(self._smoother.input, near)

    def _target_here(self) -> Target:
        """What is commanded now, as a target."""
        place = self._place()
        opening = self._path.gripper_open_frac
        if self._in_joints:
            return JointTarget(joints_rad=place, gripper_open_frac=opening)
        return PoseTarget(
            position_m=place[:3],
            rotation=rotation_from_rotvec(place[3:]) @ TOOL_DOWN,
            gripper_open_frac=opening,
        )

    def _foresee(self, value: Array, *, clock_s: float) -> Proposal:
        foreseen = self._smoother.foresee(value)
        positions_m, rotations = self._coordinates.tool_path(foreseen)
        return Proposal(
            value=value,
            clock_s=clock_s,
            foreseen=foreseen,
            positions_m=positions_m,
            rotations=rotations,
        )

    def _breach(self, proposal: Proposal) -> tuple[int, str] | None:
        """The first limit that a proposal would leave on its way to rest."""
        positions_m, rotations = proposal.positions_m, proposal.rotations
        return self._fence.breach(positions_m[PAST:], rotations[PAST:]) or self._envelope.breach(
            proposal.foreseen, positions_m, rotations
        )


def _one_tick_on(rows: Array) -> Array:
    """The same motion seen a tick later; it rests where it rested, shape (R, ...)."""
    return np.concatenate([rows[1:], rows[-1:]])
