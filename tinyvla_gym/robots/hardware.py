"""What the arms themselves can do: kinematics and hard limits, as their makers publish them.

Sources: Franka's robot description and libfranka's rate limits (FR3, Panda), Universal Robots'
ROS 2 description (UR5, UR5e). A maker that publishes no limit has ``inf`` here. Nothing in this
file may be loosened: ``limits.py`` is checked against it.
"""

from dataclasses import dataclass, field
from math import inf, pi, radians

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import UnknownNameError

Joints = NDArray[np.float64]
"""One number per joint, shape (J,)."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """One joint and the step that leads to it, after Craig: Rx(alpha) Tx(a) Rz(joint) Tz(d)."""

    a_m: float
    alpha_rad: float
    d_m: float


@dataclass(frozen=True, kw_only=True)
class SpeedLaw:
    """Speed that falls towards a joint's limit: |speed| <= sqrt(factor * distance) - offset."""

    offset_rad_s: float
    factor_rad_s2: float


@dataclass(frozen=True, kw_only=True)
class ArmModel:
    """One make of arm; the tuples hold one number per joint.

    Attributes:
        tracking: What the driver is sent, ``joint`` positions or the tool's ``pose`` (impedance).
        tick_hz: Rates at which commands may be sent, the usual one first [Hz].
    """

    name: str
    links: tuple[Link, ...]
    flange_m: float
    joint_low_rad: tuple[float, ...]
    joint_high_rad: tuple[float, ...]
    joint_speed_rad_s: tuple[float, ...]
    joint_acceleration_rad_s2: tuple[float, ...]
    joint_jerk_rad_s3: tuple[float, ...]
    speed_laws: tuple[SpeedLaw, ...] = field(default=())
    tcp_speed_m_s: float
    tcp_acceleration_m_s2: float
    tcp_jerk_m_s3: float
    tcp_rotation_speed_rad_s: float
    payload_kg: float
    reach_m: float
    tracking: str
    tick_hz: tuple[float, ...]

    @property
    def joints(self) -> int:
        """How many joints the arm has, J."""
        return len(self.links)

    def joint_speed_max(self, joints_rad: Joints) -> tuple[Joints, Joints]:
        """Lowest and highest joint speeds that the maker allows at a configuration.

        Args:
            joints_rad: Joint angles, shape (..., J).

        Returns:
            Lowest (negative) and highest speeds [rad/s], each broadcast to shape (..., J).
        """
        high = np.asarray(self.joint_speed_rad_s)
        if not self.speed_laws:
            return np.broadcast_to(-high, joints_rad.shape), np.broadcast_to(high, joints_rad.shape)
        offset = np.array([law.offset_rad_s for law in self.speed_laws])
        factor = np.array([law.factor_rad_s2 for law in self.speed_laws])
        above = np.maximum(np.asarray(self.joint_high_rad) - joints_rad, 0.0)
        below = np.maximum(joints_rad - np.asarray(self.joint_low_rad), 0.0)
        up = np.clip(np.sqrt(factor * above) - offset, 0.0, high)
        down = np.clip(np.sqrt(factor * below) - offset, 0.0, high)
        return -down, up


def _ur_links(d1: float, a2: float, a3: float, d4: float, d5: float, d6: float) -> tuple[Link, ...]:
    rows = ((0, 0, d1), (0, pi / 2, 0), (a2, 0, 0), (a3, 0, d4), (0, pi / 2, d5), (0, -pi / 2, d6))
    return tuple(Link(a_m=a, alpha_rad=alpha, d_m=d) for a, alpha, d in rows)


_FRANKA_LINKS = tuple(
    Link(a_m=a, alpha_rad=alpha, d_m=d)
    for a, alpha, d in (
        *((0, 0, 0.333), (0, -pi / 2, 0), (0, pi / 2, 0.316), (0.0825, pi / 2, 0)),
        *((-0.0825, -pi / 2, 0.384), (0, pi / 2, 0), (0.088, pi / 2, 0)),
    )
)
_FR3_SPEED_LAWS = tuple(
    SpeedLaw(offset_rad_s=offset, factor_rad_s2=factor)
    for offset, factor in (
        *((0.30, 12.0), (0.20, 5.17), (0.20, 7.0), (0.30, 8.0)),
        *((0.35, 34.0), (0.35, 11.0), (0.35, 34.0)),
    )
)


def _ur(name: str, links: tuple[Link, ...], tick_hz: tuple[float, ...]) -> ArmModel:
    turn = (2 * pi, 2 * pi, pi, 2 * pi, 2 * pi, 2 * pi)  # the elbow cannot make a whole turn
    return ArmModel(
        name=name,
        links=links,
        flange_m=0.0,
        joint_low_rad=tuple(-limit for limit in turn),
        joint_high_rad=turn,
        joint_speed_rad_s=(radians(180),) * 6,
        joint_acceleration_rad_s2=(40.0,) * 6,  # what the servo interface accepts
        joint_jerk_rad_s3=(inf,) * 6,
        tcp_speed_m_s=3.0,  # what the servo interface accepts
        tcp_acceleration_m_s2=inf,
        tcp_jerk_m_s3=inf,
        tcp_rotation_speed_rad_s=inf,
        payload_kg=5.0,
        reach_m=0.85,
        tracking="joint",
        tick_hz=tick_hz,
    )


MODELS = {
    model.name: model
    for model in (
        ArmModel(
            name="fr3",
            links=_FRANKA_LINKS,
            flange_m=0.107,
            joint_low_rad=(-2.7437, -1.7837, -2.9007, -3.0421, -2.8065, 0.5445, -3.0159),
            joint_high_rad=(2.7437, 1.7837, 2.9007, -0.1518, 2.8065, 4.5169, 3.0159),
            joint_speed_rad_s=(2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26),
            joint_acceleration_rad_s2=(10.0,) * 7,
            joint_jerk_rad_s3=(5000.0,) * 7,
            speed_laws=_FR3_SPEED_LAWS,
            tcp_speed_m_s=3.0,
            tcp_acceleration_m_s2=9.0,
            tcp_jerk_m_s3=4500.0,
            tcp_rotation_speed_rad_s=2.5,
            payload_kg=3.0,
            reach_m=0.855,
            tracking="pose",
            tick_hz=(200.0, 100.0),
        ),
        ArmModel(
            name="panda",
            links=_FRANKA_LINKS,
            flange_m=0.107,
            joint_low_rad=(-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973),
            joint_high_rad=(2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973),
            joint_speed_rad_s=(2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61),
            joint_acceleration_rad_s2=(15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0),
            joint_jerk_rad_s3=(7500.0, 3750.0, 5000.0, 6250.0, 7500.0, 10000.0, 10000.0),
            tcp_speed_m_s=1.7,
            tcp_acceleration_m_s2=13.0,
            tcp_jerk_m_s3=6500.0,
            tcp_rotation_speed_rad_s=2.5,
            payload_kg=3.0,
            reach_m=0.855,
            tracking="pose",
            tick_hz=(200.0, 100.0),
        ),
        _ur("ur5e", _ur_links(0.1625, -0.425, -0.3922, 0.1333, 0.0997, 0.0996), (125.0, 500.0)),
        _ur("ur5", _ur_links(0.089159, -0.425, -0.39225, 0.10915, 0.09465, 0.0823), (125.0,)),
    )
}


def arm_model(name: str) -> ArmModel:
    """Looks an arm up: ``fr3``, ``panda``, ``ur5e`` or ``ur5``.

    Raises:
        UnknownNameError: If there is no such arm.
    """
    if name not in MODELS:
        raise UnknownNameError("arm model", name, MODELS)
    return MODELS[name]
