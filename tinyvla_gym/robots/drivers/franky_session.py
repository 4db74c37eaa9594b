"""A Franka FR3 through ``franky-control``, whose loop of 1 kHz runs in C++.

Facts that shape this file, all measured: an error of a motion is raised by the *next* call, so
``look`` polls; a motion cannot change its kind while it runs, so it is ended first; after a broken
connection the library's object is of no use, so a recovery makes a new session. Connecting makes
a real-time thread of the calling one, and the loop of 1 kHz inherits that: connect in a process
that does nothing else, as a rig's controller is.
"""

import contextlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
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
from tinyvla_gym.robots.state import ArmCommand, Condition

Array = NDArray[np.float64]

_CLIP_M, _CLIP_RAD = 0.05, 0.2  # beyond this an error pulls no harder
_TORQUE_STEP_NM = 1.0  # in a millisecond, which is what the robot accepts
_HOME_ACCELERATION_FRAC = 0.1
_END_S = 2.0  # a motion that is told to end has ended by then
_REALTIME = Path("/sys/kernel/realtime")  # says 1 on a kernel with PREEMPT_RT


def keeps_deadlines() -> bool:
    """Whether this computer's kernel does, so that libfranka may insist on it."""
    return _REALTIME.exists() and _REALTIME.read_text().strip() == "1"


class FrankySession:
    """See ``FrankaSession``."""

    def __init__(self, host: str) -> None:
        """Connects; nothing moves.

        Raises:
            Interrupted: If the robot cannot be reached.
            MissingExtraError: If franky-control is not installed.
        """
        try:
            import franky
        except ImportError as error:
            raise MissingExtraError("A Franka FR3", "franka") from error
        self._franky: Any = franky
        self._tracker: Any = None
        self.software = f"franky-control {version('franky-control')}"
        config = franky.RealtimeConfig
        config = config.Enforce if keeps_deadlines() else config.Ignore
        with self._translated():
            self._robot: Any = franky.Robot(host, realtime_config=config)
            self.fingers: Any = franky.Gripper(host)
            state = self._robot.state
        self.flange_to_tcp: Array = state.F_T_EE.matrix
        self.load_kg = float(state.m_load)

    def look(self) -> FrankaReading:
        """See ``FrankaSession``."""
        with self._translated():
            self._robot.poll_motion()
            state = self._robot.state
            lost = self._tracker is not None and not self._robot.is_in_control
        condition = CONDITION_OF_MODE[state.robot_mode.name]
        if lost and condition is Condition.OK:
            condition = Condition.PROGRAM_STOPPED
        return FrankaReading(
            robot_s=state.time.to_sec(),
            joints_rad=np.array(state.q, np.float64),
            joint_speeds_rad_s=np.array(state.dq, np.float64),
            tcp=np.array(state.O_T_EE.matrix, np.float64),
            force_n=np.array(state.O_F_ext_hat_K[:3], np.float64),
            torques_nm=np.array(state.tau_ext_hat_filtered, np.float64),
            condition=condition,
        )

    def follow(self, command: ArmCommand) -> None:
        """See ``FrankaSession``. The first command starts the impedance, from where the arm is."""
        with self._translated():
            if self._tracker is None:
                in_joints = command.joints_rad is not None
                self._tracker = self._joint_tracker() if in_joints else self._tool_tracker()
            if command.joints_rad is not None:
                self._tracker.set_target(command.joints_rad)
                return
            pose = np.eye(4)
            pose[:3, :3], pose[:3, 3] = command.tcp_rotation, command.tcp_position_m
            self._tracker.set_target(self._franky.Affine(pose))

    def go(self, joints_rad: Array, speed_frac: float) -> None:
        """See ``FrankaSession``."""
        franky, slow = self._franky, _HOME_ACCELERATION_FRAC
        self.end()
        with self._translated():
            target = franky.JointState(joints_rad)
            factor = franky.RelativeDynamicsFactor(speed_frac, slow, slow)
            motion = franky.JointMotion(target, relative_dynamics_factor=factor)
            self._robot.move(motion, asynchronous=True)

    def end(self) -> None:
        """See ``FrankaSession``."""
        franky = self._franky
        stop = franky.JointStopMotion if self._tracker is None else franky.TorqueStopMotion
        self._tracker = None
        with self._translated():
            if self._robot.is_in_control:
                self._robot.move(stop(), asynchronous=True)
                self._robot.join_motion(timeout=_END_S)

    def recover(self) -> None:
        """See ``FrankaSession``."""
        self._tracker = None
        with self._translated():
            self._robot.recover_from_errors()

    def _tool_tracker(self) -> Any:
        return self._franky.CartesianImpedanceTracker(
            self._robot,
            translational_stiffness=TRANSLATION_N_M,
            rotational_stiffness=ROTATION_NM_RAD,
            translational_error_clip=np.full(3, _CLIP_M),
            rotational_error_clip=np.full(3, _CLIP_RAD),
            max_delta_tau=_TORQUE_STEP_NM,
        )

    def _joint_tracker(self) -> Any:
        return self._franky.JointImpedanceTracker(
            self._robot, stiffness=np.array(JOINT_NM_RAD), max_delta_tau=_TORQUE_STEP_NM
        )

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Tells the reflexes of the robot from a connection that broke."""
        franky = self._franky
        try:
            yield
        except (franky.ControlException, franky.CommandException) as error:
            raise Interrupted(Condition.REFLEX, error) from error
        except (franky.Exception, RuntimeError) as error:
            raise Interrupted(Condition.CONTROL_LOST, error) from error
