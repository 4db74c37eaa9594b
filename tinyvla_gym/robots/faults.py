"""What can go wrong with a rig: refused actions, faults that stop it, and events that are told.

A refused action (``ValueError``) moves nothing; the arms decelerate and wait for a better one. A
fault (``RuntimeError``) stops the rig and stays until someone recovers it. ``OperatorRequired``
stays until a person has been at the robot: no software of ours clears it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tinyvla_gym.errors import TinyVLAError


@dataclass(frozen=True, kw_only=True)
class SafetyEvent:
    """One intervention of the safety filter.

    Attributes:
        time_s: When, on the controller's clock [s].
        arm: Whose; empty when the whole rig was concerned.
        rule: Number of the rule, 1 to 21, as ``docs/rigs.md`` lists them.
        name: Short name of what happened, such as ``workspace``.
        original: What was asked for or measured.
        applied: What was done instead.
    """

    time_s: float
    arm: str
    rule: int
    name: str
    original: tuple[float, ...] = ()
    applied: tuple[float, ...] = ()


class Onsets:
    """Tells of a condition once, when it begins."""

    def __init__(self, arm: str) -> None:
        """Nothing has begun yet."""
        self._arm = arm
        self._active: set[str] = set()

    def event(self, now_s: float, rule: int, name: str, *applied: float) -> SafetyEvent:
        """An event of this arm."""
        return SafetyEvent(time_s=now_s, arm=self._arm, rule=rule, name=name, applied=applied)

    def onset(
        self, now_s: float, rule: int, name: str, active: bool, *applied: float
    ) -> list[SafetyEvent]:
        """One event when a condition begins, none while it lasts or when it is over."""
        begins = active and name not in self._active
        (self._active.add if active else self._active.discard)(name)
        return [self.event(now_s, rule, name, *applied)] if begins else []


class ActionRefused(TinyVLAError, ValueError):
    """An action that must not be carried out; nothing has moved because of it."""


class ActionFormatError(ActionRefused):
    """Rule 1: an action of the wrong shape or kind."""

    def __init__(self, rig: str, wanted: Sequence[str], got: str) -> None:
        super().__init__(
            f"{rig} takes {len(wanted)} numbers ({', '.join(wanted)}), got {got}. Nothing moved."
        )


class DueTimeError(ActionRefused):
    """Rule 1: actions without times, or with times that are not in order."""

    def __init__(self, times_s: Sequence[float]) -> None:
        super().__init__(
            f"Actions need finite times, in order, at which they are due; got {list(times_s)}. "
            "Nothing moved."
        )


class ActionRotationError(ActionRefused):
    """Rule 3: six numbers that are not two rows of a rotation."""

    def __init__(self, arm: str, first: float, second: float, cosine: float) -> None:
        super().__init__(
            f"The rotation asked of arm {arm} is none: its rows are {first:.2f} and {second:.2f} "
            f"long with a cosine of {cosine:.2f} between them; two rows of length 1 at a right "
            "angle are wanted. Nothing moved."
        )


class ActionGripperError(ActionRefused):
    """Rule 4: a gripper opening far outside 0 to 1."""

    def __init__(self, arm: str, opening: float) -> None:
        super().__init__(
            f"The gripper of arm {arm} opens from 0 to 1, not to {opening:.2f}. Is the action in "
            "other units? Nothing moved."
        )


class TargetJumpError(ActionRefused):
    """Rule 5: a target too far from where the arm is."""

    def __init__(self, arm: str, away_m: float, away_rad: float, most: tuple[float, float]) -> None:
        super().__init__(
            f"The target of arm {arm} lies {away_m:.3f} m and {away_rad:.2f} rad from its "
            f"commanded pose; one step may go {most[0]} m and {most[1]} rad. Are actions absolute "
            "and in the arm's base frame? Nothing moved."
        )


class WorkspaceError(ActionRefused):
    """Rule 6: a target far outside the workspace."""

    def __init__(self, arm: str, position_m: Sequence[float], away_m: float) -> None:
        at = ", ".join(f"{entry:.3f}" for entry in position_m)
        super().__init__(
            f"The target of arm {arm}, ({at}) m, lies {away_m:.3f} m outside its workspace. "
            "Nothing moved."
        )


class StartPoseError(TinyVLAError, RuntimeError):
    """An arm that stands where the safety filter would not let it be."""

    def __init__(self, arm: str, problem: str, position_m: Sequence[float]) -> None:
        at = ", ".join(f"{entry:.3f}" for entry in position_m)
        super().__init__(
            f"Arm {arm} cannot start from where it stands, with its tool at ({at}) m: {problem}. "
            "Move it home first."
        )


class RigFault(TinyVLAError, RuntimeError):
    """Something that stopped the rig.

    Attributes:
        arm: Whose fault; empty when it was not an arm's.
        recoverable: Whether ``reset(options={"recover": True})`` may try.
    """

    recoverable = True

    def __init__(self, arm: str, problem: str) -> None:
        self.arm = arm
        self.problem = problem
        super().__init__(f"{'Arm ' + arm if arm else 'The rig'} stopped: {problem}")


class TrackingFault(RigFault):
    """Rule 12: an arm that is not where it was told to be."""


class ForceFault(RigFault):
    """Rule 14: a force above the limit."""


class WatchdogFault(RigFault):
    """Rule 16: the program in charge fell silent."""


class StateStaleFault(RigFault):
    """Rule 17: no fresh reading of an arm."""


class CameraFault(RigFault):
    """Rule 18: no fresh picture of a camera."""


class OverrunFault(RigFault):
    """Rule 19: the servo loop does not keep its time."""


class ReflexFault(RigFault):
    """Rule 20: the robot's own reflex stopped it."""


class ProtectiveStopFault(RigFault):
    """Rule 20: the robot's controller made a protective stop."""


class ControlLostFault(RigFault):
    """Rule 20: the robot no longer obeys: its program stopped, or the connection broke."""


class OperatorRequired(RigFault):
    """Rule 21: a person must go to the robot. Software never clears this."""

    recoverable = False

    def __init__(self, arm: str, problem: str) -> None:
        super().__init__(arm, f"{problem} Someone must go to the robot and clear it there.")


class EnvFaultedError(TinyVLAError, RuntimeError):
    """A step, or a reset, while a fault is latched."""

    def __init__(self, fault: RigFault) -> None:
        self.fault = fault
        remedy = (
            'Call reset(options={"recover": True}).'
            if fault.recoverable
            else "Clear it at the robot, then make the env anew."
        )
        super().__init__(f"The rig is stopped by a {type(fault).__name__}: {fault} {remedy}")
