"""A Franka Panda (FER) through ``panda-python``. **Not yet run**: no emulator speaks its protocol.

It is kept thin for that reason, and tested against a stand-in for the library alone.
"""

import contextlib
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import MissingExtraError
from tinyvla_gym.robots.drivers.franka_session import (
    CONDITION_OF_MODE,
    JOINT_NM_RAD,
    ROTATION_NM_RAD,
    TRANSLATION_N_M,
    FrankaReading,
    Interrupted,
)
from tinyvla_gym.robots.rotations import rotvec_from_rotation
from tinyvla_gym.robots.state import ArmCommand, Condition

Array = NDArray[np.float64]


class PandaSession:
    """See ``FrankaSession``."""

    def __init__(self, host: str) -> None:
        """Connects; nothing moves.

        Raises:
            Interrupted: If the robot cannot be reached.
            MissingExtraError: If panda-python is not installed.
        """
        try:
            import panda_py  # pyright: ignore[reportMissingImports]
            from panda_py import controllers, libfranka  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise MissingExtraError("A Franka Panda", "panda") from error
        self._controllers: Any = controllers
        self._controller: Any = None
        self.software = f"panda-python {version('panda-python')}"
        with self._translated():
            self._panda: Any = panda_py.Panda(host)
            self.fingers = PandaFingers(libfranka.Gripper(host))
            state = self._panda.get_state()
        self.flange_to_tcp = _matrix(state.F_T_EE)
        self.load_kg = float(state.m_load)

    def look(self) -> FrankaReading:
        """See ``FrankaSession``."""
        with self._translated():
            self._panda.raise_error()
            self._panda.refresh_state()
            state = self._panda.get_state()
        return FrankaReading(
            robot_s=state.time.to_sec(),
            joints_rad=np.array(state.q, np.float64),
            joint_speeds_rad_s=np.array(state.dq, np.float64),
            tcp=_matrix(state.O_T_EE),
            force_n=np.array(state.O_F_ext_hat_K[:3], np.float64),
            torques_nm=np.array(state.tau_ext_hat_filtered, np.float64),
            condition=CONDITION_OF_MODE[state.robot_mode.name.removeprefix("k")],
        )

    def follow(self, command: ArmCommand) -> None:
        """See ``FrankaSession``. The first command starts the impedance, from where the arm is."""
        with self._translated():
            if command.joints_rad is not None:
                self._start(command).set_control(command.joints_rad)
                return
            quaternion = _quaternion_xyzw(command.tcp_rotation)
            self._start(command).set_control(command.tcp_position_m, quaternion)

    def go(self, joints_rad: Array, speed_frac: float) -> None:
        """See ``FrankaSession``; this library waits until the arm is there."""
        self.end()
        with self._translated():
            self._panda.move_to_joint_position(joints_rad, speed_factor=speed_frac)

    def end(self) -> None:
        """See ``FrankaSession``."""
        if self._controller is not None:
            self._controller = None
            with self._translated():
                self._panda.stop_controller()

    def recover(self) -> None:
        """See ``FrankaSession``."""
        self._controller = None
        with self._translated():
            self._panda.recover()

    def _start(self, command: ArmCommand) -> Any:
        if self._controller is None:
            if command.joints_rad is not None:
                stiffness = np.array(JOINT_NM_RAD)
                self._controller = self._controllers.JointPosition(stiffness)
            else:
                impedance = np.diag([TRANSLATION_N_M] * 3 + [ROTATION_NM_RAD] * 3)
                self._controller = self._controllers.CartesianImpedance(impedance)
            self._panda.start_controller(self._controller)
        return self._controller

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """The library raises RuntimeErrors; those of the network say so."""
        try:
            yield
        except RuntimeError as error:
            reflex = "reflex" in str(error).lower()
            condition = Condition.REFLEX if reflex else Condition.CONTROL_LOST
            raise Interrupted(condition, error) from error


class PandaFingers:
    """The gripper of ``panda-python`` in the form of ``Fingers``."""

    def __init__(self, gripper: Any) -> None:
        """Wraps an open gripper."""
        self._gripper = gripper
        self.homing, self.move, self.grasp = gripper.homing, gripper.move, gripper.grasp

    @property
    def width(self) -> float:
        """Opening now [m]."""
        return float(self._gripper.read_once().width)

    @property
    def max_width(self) -> float:
        """Largest opening, 0 before it was homed [m]."""
        return float(self._gripper.read_once().max_width)


def _matrix(columns: Any) -> Array:
    """Sixteen numbers, column by column, as libfranka keeps a pose."""
    return np.array(columns, np.float64).reshape(4, 4).T


def _quaternion_xyzw(rotation: Array) -> Array:
    rotvec = rotvec_from_rotation(rotation)
    angle = float(np.linalg.norm(rotvec))
    half = np.sinc(angle / (2 * np.pi)) / 2  # sin(angle / 2) / angle, also at 0
    return np.append(rotvec * half, np.cos(angle / 2))
