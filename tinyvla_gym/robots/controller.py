"""The control tick: time and readings in, commands out. No clock, no socket, no thread in here.

The same object runs in a process of its own beside real arms, and inside an env with virtual
time beside simulated ones; given the same calls, it commands the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from tinyvla_gym.errors import ActionNotFiniteError
from tinyvla_gym.robots.actions import Target, read_action
from tinyvla_gym.robots.clearance import Clearance
from tinyvla_gym.robots.faults import (
    ActionFormatError,
    ActionGripperError,
    ActionRefused,
    ActionRotationError,
    DueTimeError,
    EnvFaultedError,
    Onsets,
    OperatorRequired,
    RigFault,
    SafetyEvent,
    StartPoseError,
    TargetJumpError,
    WorkspaceError,
)
from tinyvla_gym.robots.motion import ArmMotion, Proposal
from tinyvla_gym.robots.smoothing import PAST
from tinyvla_gym.robots.spec import RigSpec
from tinyvla_gym.robots.state import ArmCommand, ArmState
from tinyvla_gym.robots.supervision import Supervision, Verdict

_APART_PACE = 0.1
_RULE_OF_REFUSAL = {
    ActionFormatError: 1,
    DueTimeError: 1,
    ActionNotFiniteError: 2,
    ActionRotationError: 3,
    ActionGripperError: 4,
    TargetJumpError: 5,
    WorkspaceError: 6,
}


@dataclass(frozen=True, kw_only=True)
class Commands:
    """What a tick decided.

    Attributes:
        arms: One command per arm, in the rig's order.
        holding: Whether the arms are kept from following new actions right now.
        fault: What the rig is stopped by, if it is.
        events: Every intervention since the tick before.
    """

    arms: tuple[ArmCommand, ...]
    holding: bool
    fault: RigFault | None
    events: tuple[SafetyEvent, ...]


class Controller:
    """Moves the arms of one rig, and refuses what is not safe."""

    def __init__(self, rig: RigSpec, states: dict[str, ArmState], now_s: float) -> None:
        """Stands still where the arms are.

        Args:
            rig: The facts.
            states: A fresh reading of each arm, by name.
            now_s: The time now [s].

        Raises:
            StartPoseError: If an arm stands outside its limits.
        """
        self._rig = rig
        self._fault: RigFault | None = None
        self._pending: list[SafetyEvent] = []
        self._clearance = Clearance(rig) if len(rig.arms) == 2 else None
        self._begin(states, now_s)

    @property
    def fault(self) -> RigFault | None:
        """What the rig is stopped by; stays until ``recover``."""
        return self._fault

    @property
    def stop_s(self) -> float:
        """Time from a decision to stop until the commands rest [s]."""
        return max(motion.stop_s for motion in self._motions)

    def heartbeat(self, now_s: float) -> None:
        """Says that the program in charge is alive; every submission says so, too."""
        self._watch.heartbeat(now_s)

    def submit(self, now_s: float, actions: Sequence[tuple[float, object]]) -> None:
        """Takes actions with the times at which they are due, or refuses them all.

        A refusal makes every arm decelerate and wait; nothing of the refused actions is carried
        out. What was corrected is told by the next tick's events.

        Args:
            now_s: The time now [s].
            actions: Due times [s], in order, and actions of shape (A,).

        Raises:
            EnvFaultedError: If a fault is latched.
            ActionRefused: Rules 1 and 3 to 6.
            ActionNotFiniteError: Rule 2.
        """
        if self._fault:
            raise EnvFaultedError(self._fault)
        self._watch.heartbeat(now_s)
        try:
            self._follow(now_s, actions)
        except (ActionRefused, ActionNotFiniteError) as refusal:
            self.hold(now_s)
            rule = _RULE_OF_REFUSAL[type(refusal)]
            self._pending.append(self._told.event(now_s, rule, type(refusal).__name__))
            raise

    def hold(self, now_s: float) -> None:
        """All arms decelerate, stay, and wait for the next action."""
        for motion in self._motions:
            motion.stop(now_s)

    def tick(self, now_s: float, states: dict[str, ArmState]) -> Commands:
        """Decides one command per arm.

        Args:
            now_s: The time of this tick [s].
            states: The newest reading of each arm, by name.
        """
        verdict = self._watch.judge(now_s, states)
        events = [*self._pending, *verdict.events]
        self._pending = []
        self._latch(verdict)
        if verdict.hold or self._fault:
            self.hold(now_s)
            proposals = [motion.stay() for motion in self._motions]
        else:
            proposals, more = self._propose(now_s)
            events += more
        release = self._fault is not None and all(motion.settled for motion in self._motions)
        commands = tuple(
            motion.take(proposal, release=release)
            for motion, proposal in zip(self._motions, proposals, strict=True)
        )
        for arm, command in zip(self._rig.arms, commands, strict=True):
            self._watch.sent(arm.name, command)
        return Commands(
            arms=commands,
            holding=verdict.hold or self._fault is not None,
            fault=self._fault,
            events=tuple(events),
        )

    def recover(self, states: dict[str, ArmState], now_s: float) -> None:
        """Forgets a fault after its cause was removed, and stands still where the arms are now.

        Raises:
            OperatorRequired: If the fault is one; it is never forgotten.
            StartPoseError: If an arm stands outside its limits; the fault stays.
        """
        if isinstance(self._fault, OperatorRequired):
            raise self._fault
        self._begin(states, now_s)
        self._fault = None

    def _begin(self, states: dict[str, ArmState], now_s: float) -> None:
        for name, state in states.items():
            if not state.is_finite:
                raise StartPoseError(
                    name, "its reading is not finite", state.tcp_position_m.tolist()
                )
        motions = [ArmMotion(self._rig, arm, states[arm.name], now_s) for arm in self._rig.arms]
        self._apart_m = 0.0
        if self._clearance:
            self._apart_m = self._clearance.between([motion.stopping for motion in motions])
            if self._apart_m < self._rig.limits.arms_hold_m:
                at = states[self._rig.arms[0].name].tcp_position_m.tolist()
                problem = f"its surface is {self._apart_m:.3f} m from the other arm's"
                raise StartPoseError(self._rig.arms[0].name, problem, at)
        self._motions: list[ArmMotion] = motions
        self._watch = Supervision(self._rig, now_s)
        self._told = Onsets("")

    def _follow(self, now_s: float, actions: Sequence[tuple[float, object]]) -> None:
        """Rules 1 to 8 for all actions and arms first; only then does any arm set out."""
        times_s = [due_s for due_s, _ in actions]
        if not (times_s and all(map(isfinite, times_s)) and times_s == sorted(times_s)):
            raise DueTimeError(times_s)
        due: list[list[tuple[float, Target]]] = [[] for _ in self._motions]
        for due_s, action in actions:
            targets, events = read_action(self._rig, action, now_s)
            self._pending += events
            for arm, target in enumerate(targets):
                due[arm].append((due_s, target))
        admitted = [
            motion.submit(now_s, wanted) for motion, wanted in zip(self._motions, due, strict=True)
        ]
        for motion, (waypoints, events) in zip(self._motions, admitted, strict=True):
            self._pending += [*events, *motion.follow(now_s, waypoints)]

    def _latch(self, verdict: Verdict) -> None:
        """Keeps the first fault; one that needs an operator replaces one that does not."""
        new = verdict.fault
        if new and (self._fault is None or (self._fault.recoverable and not new.recoverable)):
            self._fault = new

    def _propose(self, now_s: float) -> tuple[list[Proposal], list[SafetyEvent]]:
        """The next step of every arm; rule 13 slows both near each other, or makes both hold."""
        pace = self._clearance.pace(self._apart_m) if self._clearance else 1.0
        events = self._told.onset(now_s, 13, "arm_arm", pace < 1.0, self._apart_m)
        proposals: list[Proposal] = []
        for motion in self._motions:
            proposal, more = motion.propose(now_s, max(pace, _APART_PACE))
            proposals.append(proposal)
            events += more
        if self._clearance is None:
            return proposals, events
        apart_m = self._clearance.between([proposal.foreseen[PAST:] for proposal in proposals])
        # This near, only motion that brings the arms apart is allowed, and it may be slow.
        too_near = pace < _APART_PACE and apart_m < self._apart_m
        events += self._told.onset(now_s, 13, "arm_arm_hold", too_near, apart_m)
        if too_near:
            self.hold(now_s)
            return [motion.stay() for motion in self._motions], events
        self._apart_m = apart_m
        return proposals, events
