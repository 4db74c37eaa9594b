"""Franka arms: an FR3 through franky, a Panda through panda-py, the same driver around both.

The robot's controller keeps its own reflexes and its own loop of 1 kHz; here targets are set, and
whatever it reports is latched until ``recover``. What a person has to clear, software does not.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.controller_facts import ControllerFacts
from tinyvla_gym.robots.coordinates import kinematics_of
from tinyvla_gym.robots.drivers.franka_hand import FrankaHand
from tinyvla_gym.robots.drivers.franka_session import FrankaReading, FrankaSession, Interrupted
from tinyvla_gym.robots.drivers.franky_session import FrankySession
from tinyvla_gym.robots.drivers.latch import NEED_A_PERSON, Latch
from tinyvla_gym.robots.drivers.panda_session import PandaSession
from tinyvla_gym.robots.faults import ControlLostFault, OperatorRequired
from tinyvla_gym.robots.recovery import RecoveryBudget
from tinyvla_gym.robots.robot import ConnectError
from tinyvla_gym.robots.spec import ArmSpec
from tinyvla_gym.robots.state import ArmCommand, ArmState, Condition
from tinyvla_gym.robots.supervision import fault_of

Array = NDArray[np.float64]

_SESSIONS: dict[str, Callable[[str], FrankaSession]] = {
    "franky": FrankySession,
    "panda_py": PandaSession,
}
_HOME_S = 60.0  # a way home takes less
_HOME_RAD = 5e-3
_TOOL_SAME = 1e-3  # metres, and entries of a rotation


class FrankaArm:
    """One Franka arm with its hand."""

    def __init__(
        self,
        spec: ArmSpec,
        *,
        period_s: float,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
        open_session: Callable[[str], FrankaSession] | None = None,
    ) -> None:
        """Prepares; nothing is opened before ``connect``.

        Args:
            spec: The arm; its ``driver`` decides which library speaks to it.
            period_s: Time between two commands [s].
            sleep: Waits so many seconds.
            now: The time [s].
            open_session: Connects to a host; what ``spec.driver`` names when None.
        """
        self.spec = spec
        self._period_s = period_s
        self._sleep, self._now = sleep, now
        self._open_session = open_session or _SESSIONS[spec.driver]
        self._budget = RecoveryBudget()
        self._latch = Latch()
        self._session: FrankaSession | None = None
        self._hand: FrankaHand | None = None
        self._last: ArmState | None = None
        self._robot_s = -1.0

    def connect(self) -> None:
        """See ``ArmDriver``. Refuses a robot that knows another tool than the rig file."""
        host = self.spec.host
        try:
            session = self._session = self._open_session(host)
            self._hand = FrankaHand(session.fingers, self.spec.gripper)
            self._keep(session.look(), self._now())
        except Interrupted as problem:
            self.close()
            raise ConnectError(self.spec.name, host, f"{problem}") from problem
        self._check_tool(session.flange_to_tcp)
        self._latch.clear()

    def read(self, now_s: float) -> ArmState:
        """See ``ArmDriver``. A reading that repeats the robot's time keeps its old stamp."""
        session, hand = self._opened()
        try:
            self._keep(session.look(), now_s)
        except Interrupted as interruption:
            self._latch.add(interruption.condition)
        if hand.broken:
            self._latch.add(Condition.CONTROL_LOST)
        assert self._last is not None
        return replace(self._last, condition=self._latch.condition)

    def servo(self, command: ArmCommand) -> None:
        """See ``ArmDriver``. The last guard: a target that is not finite never leaves here."""
        if not self._latch.open:
            return
        session, hand = self._opened()
        target = command.tcp_position_m if command.joints_rad is None else command.joints_rad
        finite = np.isfinite(target).all() and np.isfinite(command.tcp_rotation).all()
        if command.release or not finite:
            self.stop()
            return
        try:
            session.follow(command)
        except Interrupted as interruption:
            self._latch.add(interruption.condition)
        hand.move(command.gripper_open_frac)

    def move_home(self, joints_rad: Array, *, speed_rad_s: float) -> None:
        """See ``ArmDriver``."""
        session, _ = self._opened()
        if not self._latch.open:
            raise fault_of(self._latch.condition, self.spec.name)
        deadline_s = self._now() + _HOME_S
        try:
            session.go(joints_rad, min(1.0, speed_rad_s / max(self.spec.arm.joint_speed_rad_s)))
            reading = session.look()
            while np.abs(reading.joints_rad - joints_rad).max() > _HOME_RAD:
                self._latch.add(reading.condition)
                if not self._latch.open or self._now() > deadline_s:
                    self.stop()
                    raise fault_of(self._latch.condition, self.spec.name)
                self._sleep(self._period_s)
                reading = session.look()
            session.end()
        except Interrupted as interruption:
            self._latch.add(interruption.condition)
            raise fault_of(self._latch.condition, self.spec.name) from interruption

    def stay(self) -> None:
        """See ``ArmDriver``; a resting Franka waits for nothing."""

    def stop(self) -> None:
        """See ``ArmDriver``. Returns when the arm rests, half a second later if it was moving."""
        if self._session is not None and self._latch.open:
            with contextlib.suppress(Interrupted):  # a motion that is broken is over, too
                self._session.end()
        self._latch.add(Condition.PROGRAM_STOPPED)

    def recover(self) -> None:
        """See ``ArmDriver``. At most two recoveries in a minute."""
        if self._session is not None:
            with contextlib.suppress(Interrupted):
                self._latch.add(self._session.look().condition)
        condition, arm = self._latch.condition, self.spec.name
        if condition in NEED_A_PERSON:
            raise OperatorRequired(arm, f"{condition.value}.")
        if not self._budget.spend(self._now()):
            raise OperatorRequired(arm, "it was recovered twice within a minute.")
        if condition is Condition.CONTROL_LOST:
            self._connect_anew()
            return
        session, _ = self._opened()
        try:
            session.recover()
            condition = session.look().condition
        except Interrupted as interruption:
            condition = interruption.condition
        if condition is not Condition.OK:
            raise fault_of(condition, arm)
        self._latch.clear()

    def facts(self) -> ControllerFacts:
        """What the robot's controller says about itself."""
        session, _ = self._opened()
        return ControllerFacts(
            software=session.software,
            serial=None,
            remote_control=None,
            flange_to_tcp_m=session.flange_to_tcp[:3, 3],
            payload_kg=session.load_kg,
        )

    def close(self) -> None:
        """See ``ArmDriver``."""
        if self._hand is not None:
            self._hand.close()
        if self._session is not None:
            with contextlib.suppress(Interrupted):
                self._session.end()
        self._session = self._hand = None
        self._latch = Latch()

    def _opened(self) -> tuple[FrankaSession, FrankaHand]:
        if self._session is None or self._hand is None:
            raise fault_of(Condition.CONTROL_LOST, self.spec.name)
        return self._session, self._hand

    def _connect_anew(self) -> None:
        """A session whose connection broke is of no use any more."""
        self.close()
        try:
            self.connect()
        except ConnectError as error:
            raise ControlLostFault(self.spec.name, str(error)) from error

    def _check_tool(self, known: Array) -> None:
        """The impedance pulls at the robot's own tool point, so it has to be the rig file's."""
        wanted_m, spec = np.array(self.spec.tcp_offset_m), self.spec
        turned = known[:3, :3] - kinematics_of(spec).flange_to_tcp_rotation
        if max(np.abs(known[:3, 3] - wanted_m).max(), np.abs(turned).max()) > _TOOL_SAME:
            self.close()
            raise ConnectError(
                spec.name,
                spec.host,
                f"its end effector is {known[:3, 3].round(4).tolist()} m from the flange; the rig "
                f"file says {wanted_m.tolist()} m, turned by {spec.tcp_yaw_rad:.4f} rad. Set one "
                "of them right.",
            )

    def _keep(self, reading: FrankaReading, now_s: float) -> None:
        """Makes a reading of ours of the robot's."""
        assert self._hand is not None
        repeated = reading.robot_s == self._robot_s and self._last is not None
        self._robot_s = reading.robot_s
        self._latch.add(reading.condition)
        self._last = ArmState(
            stamp_s=self._last.stamp_s if repeated and self._last else now_s,
            joints_rad=reading.joints_rad,
            joint_speeds_rad_s=reading.joint_speeds_rad_s,
            tcp_position_m=reading.tcp[:3, 3],
            tcp_rotation=reading.tcp[:3, :3],
            force_n=reading.force_n,
            gripper_open_frac=self._hand.read(),
            condition=reading.condition,
            external_torques_nm=reading.torques_nm,
        )
