"""Every number that the safety filter enforces, and why none of them can be loosened by accident.

How fast an arm may move is bounded by the maker's table (``hardware.py``); how closely it is
watched is bounded by the defaults below: a rig file may tighten them, never loosen them.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite, radians
from typing import Any

from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.robots.hardware import ArmModel


@dataclass(frozen=True, kw_only=True)
class SafetyLimits:
    """How an arm may move, and when it is stopped. Start from ``PROFILES`` and tighten."""

    tcp_speed_m_s: float
    """Tool speed, length of the vector."""
    tcp_rotation_speed_rad_s: float
    """Speed at which the tool turns about any axis."""
    tcp_acceleration_m_s2: float
    """Tool acceleration, length of the vector."""
    tcp_jerk_m_s3: float
    """Tool jerk, length of the vector."""
    joint_speed_frac: float
    """Share of the maker's joint speed."""
    joint_acceleration_rad_s2: float
    """Acceleration of each joint."""
    joint_jerk_rad_s3: float
    """Jerk of each joint."""
    joint_margin_rad: float
    """How far joints stay away from their mechanical limits."""
    force_hold_n: float
    """External force above which the arm holds."""
    force_stop_n: float
    """External force above which the rig stops."""

    jump_m: float = 0.15
    """Rule 5: farthest that a target may lie from the pose commanded now."""
    jump_rad: float = 0.8
    """Rule 5: farthest that a target may be turned from the pose commanded now."""
    workspace_reject_m: float = 0.10
    """Rule 6: a target farther outside the workspace is refused; a nearer one is moved inside."""
    table_clearance_m: float = 0.005
    """Rule 7: height over the table to which fingertips of a target are lifted."""
    tilt_rad: float = radians(75)
    """Rule 8: farthest that the tool axis may lean from straight down."""
    late_arrival_s: float = 0.5
    """Rule 9: a target that would be reached later than this is given up."""
    condition_max: float = 100.0
    """Rule 10: condition number of the Jacobian beyond which inverse kinematics is not trusted."""
    ik_hold_s: float = 0.3
    """Rule 10: time without inverse kinematics after which the arm holds."""
    tracking_joint_rad: float = 0.15
    """Rule 12: farthest that a joint may be from where it was told to be."""
    tracking_tcp_m: float = 0.08
    """Rule 12: farthest that a compliant tool may be from where it was told to be."""
    tracking_stop_s: float = 0.2
    """Rule 12: time off the command after which the rig stops."""
    arms_slow_m: float = 0.12
    """Rule 13: distance between two arms below which they slow down."""
    arms_hold_m: float = 0.04
    """Rule 13: distance between two arms at which both hold."""
    heartbeat_hold_s: float = 0.5
    """Rule 16: silence of the program in charge after which the arms hold."""
    heartbeat_stop_s: float = 2.0
    """Rule 16: silence of the program in charge after which the rig stops."""
    state_hold_s: float = 0.05
    """Rule 17: age of an arm's reading at which it holds."""
    state_stop_s: float = 0.2
    """Rule 17: age of an arm's reading at which the rig stops."""
    camera_stale_s: float = 0.2
    """Rule 18: age of a picture that is reported."""
    camera_stop_s: float = 1.0
    """Rule 18: age of a picture that ends the episode."""
    late_periods: float = 2.0
    """Rule 19: a tick that comes later than this many periods counts as late."""
    late_ticks_reported: int = 20
    """Rule 19: late ticks within one second that are reported."""
    late_ticks_stop: int = 100
    """Rule 19: late ticks within five seconds beyond which the rig stops."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not (isinstance(value, int | float) and isfinite(value) and value > 0):
                raise ConfigError(
                    f"{entry.name} must be a positive finite number, got {value!r}: a limit that "
                    "is not a number limits nothing."
                )
        for gentle, hard in _PAIRS:
            if getattr(self, gentle) > getattr(self, hard):
                raise ConfigError(
                    f"{gentle}={getattr(self, gentle)} must not exceed {hard}="
                    f"{getattr(self, hard)}: the arm would stop before it was told to hold."
                )
        loosened = list(_loosened(self))
        if loosened:
            raise ConfigError(f"Supervision can be tightened, not loosened: {'; '.join(loosened)}.")

    def excesses(self, model: ArmModel) -> list[str]:
        """Says where these limits go beyond what the maker of an arm allows."""
        pairs = [
            ("tcp_speed_m_s", model.tcp_speed_m_s),
            ("tcp_rotation_speed_rad_s", model.tcp_rotation_speed_rad_s),
            ("tcp_acceleration_m_s2", model.tcp_acceleration_m_s2),
            ("tcp_jerk_m_s3", model.tcp_jerk_m_s3),
            ("joint_speed_frac", 1.0),
            ("joint_acceleration_rad_s2", min(model.joint_acceleration_rad_s2)),
            ("joint_jerk_rad_s3", min(model.joint_jerk_rad_s3)),
        ]
        return [
            f"{name}={getattr(self, name)} against {most} of the {model.name}"
            for name, most in pairs
            if getattr(self, name) > most
        ]


_PAIRS = (  # what makes an arm hold must come before what stops the rig
    ("force_hold_n", "force_stop_n"),
    ("arms_hold_m", "arms_slow_m"),
    ("heartbeat_hold_s", "heartbeat_stop_s"),
    ("state_hold_s", "state_stop_s"),
    ("camera_stale_s", "camera_stop_s"),
    ("late_ticks_reported", "late_ticks_stop"),
)
_STRICTER_WHEN_LARGER = ("table_clearance_m", "arms_slow_m", "arms_hold_m", "joint_margin_rad")


_LAXEST = {
    "force_hold_n": 40.0,
    "force_stop_n": 80.0,
    "joint_margin_rad": 0.05,
    **{
        entry.name: entry.default
        for entry in fields(SafetyLimits)
        if isinstance(entry.default, int | float)
    },
}


def _loosened(limits: SafetyLimits) -> Iterator[str]:
    """Names the supervision thresholds that are laxer than the laxest allowed."""
    for name, laxest in _LAXEST.items():
        value = getattr(limits, name)
        larger = name in _STRICTER_WHEN_LARGER
        if (value < laxest) if larger else (value > laxest):
            yield f"{name}={value} is {'below' if larger else 'above'} {laxest}"


PROFILES = {
    "teach": SafetyLimits(
        tcp_speed_m_s=0.10,
        tcp_rotation_speed_rad_s=0.3,
        tcp_acceleration_m_s2=0.5,
        tcp_jerk_m_s3=5.0,
        joint_speed_frac=0.10,
        joint_acceleration_rad_s2=1.0,
        joint_jerk_rad_s3=10.0,
        joint_margin_rad=0.10,
        force_hold_n=15.0,
        force_stop_n=30.0,
    ),
    "eval": SafetyLimits(
        tcp_speed_m_s=0.25,
        tcp_rotation_speed_rad_s=0.6,
        tcp_acceleration_m_s2=1.0,
        tcp_jerk_m_s3=20.0,
        joint_speed_frac=0.25,
        joint_acceleration_rad_s2=2.5,
        joint_jerk_rad_s3=50.0,
        joint_margin_rad=radians(5),
        force_hold_n=25.0,
        force_stop_n=50.0,
    ),
    "fast": SafetyLimits(
        tcp_speed_m_s=0.60,
        tcp_rotation_speed_rad_s=1.2,
        tcp_acceleration_m_s2=2.5,
        tcp_jerk_m_s3=60.0,
        joint_speed_frac=0.50,
        joint_acceleration_rad_s2=5.0,
        joint_jerk_rad_s3=120.0,
        joint_margin_rad=0.05,
        force_hold_n=40.0,
        force_stop_n=80.0,
    ),
}


def limits_from(profile: str, changes: dict[str, Any]) -> SafetyLimits:
    """A profile with some numbers replaced.

    Raises:
        UnknownNameError: If the profile or a number's name does not exist.
        ConfigError: If the limits contradict themselves or loosen supervision.
    """
    if profile not in PROFILES:
        raise UnknownNameError("safety profile", profile, PROFILES)
    known = asdict(PROFILES[profile])
    for name in changes:
        if name not in known:
            raise UnknownNameError("safety limit", name, known)
    return replace(PROFILES[profile], **changes)
