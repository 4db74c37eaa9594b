"""What is watched in every tick: rules 11, 12, 14, 16, 17, 19, 20 and 21 of the safety filter.

Each rule is one method that looks at the newest facts and answers with a ``Verdict``. Nothing
here moves an arm; the controller does what the verdicts say.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import dist, hypot

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.faults import (
    ControlLostFault,
    ForceFault,
    OperatorRequired,
    OverrunFault,
    ProtectiveStopFault,
    ReflexFault,
    RigFault,
    SafetyEvent,
    StateStaleFault,
    TrackingFault,
    WatchdogFault,
)
from tinyvla_gym.robots.limits import SafetyLimits
from tinyvla_gym.robots.spec import RigSpec
from tinyvla_gym.robots.state import ArmCommand, ArmState, Condition

Array = NDArray[np.float64]

_FAULTS = {
    Condition.REFLEX: ReflexFault,
    Condition.PROTECTIVE_STOP: ProtectiveStopFault,
    Condition.PROGRAM_STOPPED: ControlLostFault,
    Condition.CONTROL_LOST: ControlLostFault,
    Condition.EMERGENCY_STOP: OperatorRequired,
    Condition.SAFEGUARD_STOP: OperatorRequired,
    Condition.BRAKES_ENGAGED: OperatorRequired,
    Condition.REMOTE_CONTROL_OFF: OperatorRequired,
}
_LATE_MANY_S = 1.0
_LATE_STOP_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one rule, or all of them together, say about this tick.

    Attributes:
        hold: The arms decelerate and stay until the reason is gone and a new action comes.
        fault: The rig stops, and stays stopped.
        events: What to tell.
    """

    hold: bool = False
    fault: RigFault | None = None
    events: tuple[SafetyEvent, ...] = ()


FINE = Verdict()


def fault_of(condition: Condition, arm: str) -> RigFault:
    """Rules 20 and 21: what an arm's condition stops the rig with."""
    return _FAULTS[condition](arm, f"{condition.value}.")


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """The strictest of several verdicts; among faults, one that needs an operator wins."""
    verdicts = [verdict for verdict in verdicts if verdict is not FINE]
    if not verdicts:
        return FINE
    faults = [verdict.fault for verdict in verdicts if verdict.fault]
    faults.sort(key=lambda fault: fault.recoverable)
    return Verdict(
        hold=any(verdict.hold or verdict.fault for verdict in verdicts),
        fault=faults[0] if faults else None,
        events=tuple(event for verdict in verdicts for event in verdict.events),
    )


class Supervision:
    """Watches a rig, tick by tick. Time comes in as an argument."""

    def __init__(self, rig: RigSpec, now_s: float) -> None:
        """Starts watching."""
        self._limits: SafetyLimits = rig.limits
        self._arms = rig.arms
        self._period_s = rig.period_s
        self._heard_s = now_s
        self._seen_s = {arm.name: now_s for arm in rig.arms}
        self._ticked_s: float | None = None
        self._late: deque[float] = deque()
        self._since: dict[str, float] = {}
        self._sent = {arm.name: _Sent(arm.lag_s, rig.period_s) for arm in rig.arms}

    def heartbeat(self, now_s: float) -> None:
        """The program in charge is alive."""
        self._heard_s = now_s

    def sent(self, arm: str, command: ArmCommand) -> None:
        """Remembers a command, to compare the arm with it once it has had time to follow."""
        self._sent[arm].push(command)

    def judge(self, now_s: float, states: dict[str, ArmState]) -> Verdict:
        """Applies all rules to one tick.

        Args:
            now_s: The time of the tick [s].
            states: The newest reading of each arm; one that is not finite counts as none.
        """
        verdicts = [self.rule_16_heartbeat(now_s), self.rule_19_overrun(now_s)]
        for arm in self._arms:
            state = states.get(arm.name)
            if state is None or not state.is_finite:
                verdicts.append(self.rule_17_freshness(now_s, arm.name, None))
                continue
            verdicts += [
                self.rules_20_21_condition(now_s, arm.name, state.condition),
                self.rule_17_freshness(now_s, arm.name, state.stamp_s),
                self.rule_14_force(now_s, arm.name, state.force_n),
                self.rule_12_tracking(now_s, arm.name, state),
                self.rule_11_measured(now_s, arm.name, state),
            ]
        return together(verdicts)

    def rule_11_measured(self, now_s: float, arm: str, state: ArmState) -> Verdict:
        """A compliant arm holds when a measured joint, or its speed, enters the margin."""
        model = self._arms[0].arm
        if model.tracking != "pose":
            return FINE  # an arm that follows joint angles is bounded by what it is sent
        margin = self._limits.joint_margin_rad
        joints, speeds = state.joints_rad, state.joint_speeds_rad_s
        down, up = model.joint_speed_max(joints)
        share = self._limits.joint_speed_frac
        near = (joints < np.array(model.joint_low_rad) + margin).any() or (
            joints > np.array(model.joint_high_rad) - margin
        ).any()
        fast = ((speeds > share * up) | (speeds < share * down)).any()
        return self._holding(now_s, arm, 11, "joint_limit", bool(near or fast), joints.tolist())

    def rule_12_tracking(self, now_s: float, arm: str, state: ArmState) -> Verdict:
        """An arm must be where it was told to be; off for too long, the rig stops."""
        told = self._sent[arm].reached
        if told is None:
            return FINE
        if told.joints_rad is None:
            off = dist(state.tcp_position_m.tolist(), told.tcp_position_m.tolist())
            most, unit = self._limits.tracking_tcp_m, "m"
        else:
            pairs = zip(state.joints_rad.tolist(), told.joints_rad.tolist(), strict=True)
            off = max(abs(there - wanted) for there, wanted in pairs)
            most, unit = self._limits.tracking_joint_rad, "rad"
        verdict = self._holding(now_s, arm, 12, "tracking", off > most, [off])
        if verdict.hold and now_s - self._since[f"{arm} tracking"] >= self._limits.tracking_stop_s:
            problem = f"it is {off:.3f} {unit} off its command; {most} {unit} are allowed."
            return Verdict(hold=True, fault=TrackingFault(arm, problem), events=verdict.events)
        return verdict

    def rule_14_force(self, now_s: float, arm: str, force_n: Array) -> Verdict:
        """An external force holds the arm, and a larger one stops the rig."""
        force = hypot(*force_n.tolist())
        verdict = self._holding(now_s, arm, 14, "force", force > self._limits.force_hold_n, [force])
        if force > self._limits.force_stop_n:
            problem = f"{force:.0f} N push on its tool; {self._limits.force_stop_n} N are allowed."
            return Verdict(hold=True, fault=ForceFault(arm, problem), events=verdict.events)
        return verdict

    def rule_16_heartbeat(self, now_s: float) -> Verdict:
        """Without a sign of life from the program in charge the arms hold, then the rig stops."""
        silent_s = now_s - self._heard_s
        hold = silent_s > self._limits.heartbeat_hold_s
        verdict = self._holding(now_s, "", 16, "heartbeat", hold, [silent_s])
        if silent_s > self._limits.heartbeat_stop_s:
            problem = f"the program in charge has been silent for {silent_s:.2f} s."
            return Verdict(hold=True, fault=WatchdogFault("", problem), events=verdict.events)
        return verdict

    def rule_17_freshness(self, now_s: float, arm: str, stamp_s: float | None) -> Verdict:
        """Without a fresh reading the arm holds, then the rig stops."""
        if stamp_s is not None and stamp_s <= now_s:  # a stamp from the future proves nothing
            self._seen_s[arm] = max(self._seen_s[arm], stamp_s)
        age_s = now_s - self._seen_s[arm]
        hold = age_s > self._limits.state_hold_s
        verdict = self._holding(now_s, arm, 17, "state_stale", hold, [age_s])
        if age_s > self._limits.state_stop_s:
            problem = f"its last good reading is {age_s:.2f} s old."
            return Verdict(hold=True, fault=StateStaleFault(arm, problem), events=verdict.events)
        return verdict

    def rule_19_overrun(self, now_s: float) -> Verdict:
        """Late ticks are told, and a loop that keeps being late stops the rig."""
        elapsed_s = now_s - self._ticked_s if self._ticked_s is not None else 0.0
        self._ticked_s = now_s
        if not elapsed_s >= 0.0:  # NaN, too: without a clock nothing below means anything
            return Verdict(hold=True, fault=OverrunFault("", "its clock does not run forwards."))
        # A tick is late by what exceeds its period; it counts beyond so many periods.
        if elapsed_s - self._period_s > self._limits.late_periods * self._period_s:
            self._late.append(now_s)
        while self._late and now_s - self._late[0] > _LATE_STOP_S:
            self._late.popleft()
        recent = sum(now_s - late_s <= _LATE_MANY_S for late_s in self._late)
        many = recent >= self._limits.late_ticks_reported
        told = self._telling(now_s, "", 19, "late_ticks", many, [float(recent)])
        if len(self._late) > self._limits.late_ticks_stop:
            problem = f"{len(self._late)} of its ticks came late within {_LATE_STOP_S:.0f} s."
            return Verdict(hold=True, fault=OverrunFault("", problem), events=told)
        return Verdict(events=told) if told else FINE

    def rules_20_21_condition(self, now_s: float, arm: str, condition: Condition) -> Verdict:
        """Whatever the arm's own controller stops for stops the whole rig."""
        if condition is Condition.OK:
            return FINE
        fault = fault_of(condition, arm)
        rule = 20 if fault.recoverable else 21
        told = self._telling(now_s, arm, rule, condition.name.lower(), True, [])
        return Verdict(hold=True, fault=fault, events=told)

    def _holding(
        self, now_s: float, arm: str, rule: int, name: str, active: bool, measured: list[float]
    ) -> Verdict:
        """A verdict that holds while something is the case, with one event when it begins."""
        told = self._telling(now_s, arm, rule, name, active, measured)
        return Verdict(hold=True, events=told) if active else FINE

    def _telling(
        self, now_s: float, arm: str, rule: int, name: str, active: bool, measured: list[float]
    ) -> tuple[SafetyEvent, ...]:
        key = f"{arm} {name}"
        if not active:
            self._since.pop(key, None)
            return ()
        if key in self._since:
            return ()
        self._since[key] = now_s
        original = tuple(measured)
        return (SafetyEvent(time_s=now_s, arm=arm, rule=rule, name=name, original=original),)


class _Sent:
    """The commands of the last moments; an arm follows them with a known lag."""

    def __init__(self, lag_s: float, period_s: float) -> None:
        self._commands: deque[ArmCommand] = deque(maxlen=1 + round(lag_s / period_s))

    def push(self, command: ArmCommand) -> None:
        self._commands.append(command)

    @property
    def reached(self) -> ArmCommand | None:
        """The command that the arm has had time to follow; None before the first."""
        return self._commands[0] if self._commands else None
