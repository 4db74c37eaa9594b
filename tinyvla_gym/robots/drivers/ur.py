"""Universal Robots arms through ``ur_rtde``: own fault latch, watchdog, dashboard.

Facts that shape this file, all measured: the library sends NaN targets without a word; after a
protective stop its calls return False and raise nothing; after a broken connection it takes
control again by itself, and repeats the one command that was on its way. So a fault is latched
here on our own evidence, and nothing more is sent until ``recover``.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import MissingExtraError
from tinyvla_gym.robots.controller_facts import ControllerFacts
from tinyvla_gym.robots.coordinates import kinematics_of
from tinyvla_gym.robots.drivers.latch import Latch
from tinyvla_gym.robots.faults import ControlLostFault, OperatorRequired
from tinyvla_gym.robots.recovery import RecoveryBudget
from tinyvla_gym.robots.robot import ConnectError
from tinyvla_gym.robots.spec import ArmSpec
from tinyvla_gym.robots.state import ArmCommand, ArmState, Condition

Array = NDArray[np.float64]

LOOKAHEAD_S = 0.1
GAIN = 300
WATCHDOG_HZ = 10.0
"""The controller ends its program if commands come less often than this."""
_HOME_ACCELERATION_RAD_S2 = 0.5
_HOME_S = 60.0  # a way home takes less
_HOME_RAD = 2e-3
_START_S = 5.0  # a program that does not run by then will not

_PROGRAM_RUNNING, _TEACH_BUTTON = 1 << 1, 1 << 2  # bits of the robot's status
_SAFETY_BITS = (  # bits of the safety status, gravest first
    (1 << 5 | 1 << 6 | 1 << 7, Condition.EMERGENCY_STOP),
    (1 << 8 | 1 << 9, Condition.EMERGENCY_STOP),  # violation and fault need a restart by hand
    (1 << 4, Condition.SAFEGUARD_STOP),
    (1 << 2, Condition.PROTECTIVE_STOP),
)
_MODE_RUNNING = 7


class UrArm:
    """One Universal Robots arm."""

    def __init__(
        self,
        spec: ArmSpec,
        *,
        period_s: float,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepares; nothing is opened before ``connect``."""
        self.spec = spec
        self._period_s = period_s
        self._sleep, self._now = sleep, now
        self._kinematics = kinematics_of(spec)
        self._budget = RecoveryBudget()
        self._latch = Latch()
        self._control: Any = None
        self._receive: Any = None
        self._dashboard: Any = None
        self._robot_time_s = -1.0
        self._stamp_s = 0.0
        self._watched = False
        self._opening_frac = 1.0

    def connect(self) -> None:
        """See ``ArmDriver``."""
        try:
            import dashboard_client
            import rtde_control
            import rtde_receive
        except ImportError as error:
            raise MissingExtraError("A Universal Robots arm", "ur") from error
        host = self.spec.host
        try:
            self._dashboard = dashboard_client.DashboardClient(host)
            self._dashboard.connect()
            if not self._dashboard.isInRemoteControl():
                raise RuntimeError("switch it to remote control.")
            self._receive = rtde_receive.RTDEReceiveInterface(host, 1 / self._period_s)
            flags = rtde_control.RTDEControlInterface.FLAG_UPLOAD_SCRIPT
            self._control = rtde_control.RTDEControlInterface(host, 1 / self._period_s, flags)
        except RuntimeError as error:  # the only kind that the library raises
            self.close()
            raise ConnectError(self.spec.name, host, str(error)) from error
        self._see_the_program_run()
        self._latch.clear()

    def read(self, now_s: float) -> ArmState:
        """See ``ArmDriver``. A reading that repeats the robot's time keeps its old stamp."""
        robot_time_s = float(self._receive.getTimestamp())
        if robot_time_s != self._robot_time_s:
            self._robot_time_s, self._stamp_s = robot_time_s, now_s
        self._latch.add(self._condition())
        joints_rad = np.array(self._receive.getActualQ(), np.float64)
        position_m, rotation = self._kinematics.tool_pose(joints_rad)
        return ArmState(
            stamp_s=self._stamp_s,
            joints_rad=joints_rad,
            joint_speeds_rad_s=np.array(self._receive.getActualQd(), np.float64),
            tcp_position_m=position_m,
            tcp_rotation=rotation,
            force_n=np.array(self._receive.getActualTCPForce()[:3], np.float64),
            gripper_open_frac=self._opening_frac,
            condition=self._latch.condition,
        )

    def servo(self, command: ArmCommand) -> None:
        """See ``ArmDriver``. The last guard: a target that is not finite never leaves here."""
        joints_rad = command.joints_rad
        if not self._latch.open or joints_rad is None:
            return
        if command.release or not np.isfinite(joints_rad).all():
            self.stop()
            return
        if not (self._receive.isConnected() and self._control.isConnected()):
            self._latch.add(Condition.CONTROL_LOST)  # else the library connects anew, and sends
            return
        if not self._watched:  # only now: an arm that is only looked at would be stopped by it
            self._watched = bool(self._control.setWatchdog(WATCHDOG_HZ))
        sent = self._control.servoJ(
            joints_rad.tolist(), 0.0, 0.0, self._period_s, LOOKAHEAD_S, GAIN
        )
        if not sent:
            condition, connected = self._condition(), self._control.isConnected()
            refused = Condition.PROGRAM_STOPPED if connected else Condition.CONTROL_LOST
            self._latch.add(refused if condition is Condition.OK else condition)

    def move_home(self, joints_rad: Array, *, speed_rad_s: float) -> None:
        """See ``ArmDriver``."""
        if not self._latch.open:
            raise ControlLostFault(
                self.spec.name, f"it cannot go home: {self._latch.condition.value}."
            )
        self._control.servoStop()
        self._control.moveJ(joints_rad.tolist(), speed_rad_s, _HOME_ACCELERATION_RAD_S2, True)
        deadline_s = self._now() + _HOME_S
        while np.abs(np.subtract(self._receive.getActualQ(), joints_rad)).max() > _HOME_RAD:
            self._control.kickWatchdog()
            self._latch.add(self._condition())
            if not self._latch.open or self._now() > deadline_s:
                self.stop()
                raise ControlLostFault(self.spec.name, "it did not reach its home.")
            self._sleep(self._period_s)

    def stay(self) -> None:
        """See ``ArmDriver``."""
        if self._watched and self._latch.open:
            self._control.kickWatchdog()

    def stop(self) -> None:
        """See ``ArmDriver``."""
        if self._control is not None and self._latch.open:
            self._control.servoStop()
            self._control.stopScript()
        self._latch.add(Condition.PROGRAM_STOPPED)

    def recover(self) -> None:
        """See ``ArmDriver``. At most two recoveries in a minute, each after a pause."""
        arm = self.spec.name
        condition = self._condition()
        if condition not in (
            *(Condition.OK, Condition.PROTECTIVE_STOP),
            *(Condition.PROGRAM_STOPPED, Condition.CONTROL_LOST),
        ):
            raise OperatorRequired(arm, f"{condition.value}.")
        if not self._in_remote_control():
            raise OperatorRequired(arm, f"{Condition.REMOTE_CONTROL_OFF.value}.")
        if not self._budget.spend(self._now()):
            raise OperatorRequired(arm, "it was recovered twice within a minute.")
        self._sleep(RecoveryBudget.PAUSE_S)  # the controller refuses to unlock earlier
        if condition is Condition.PROTECTIVE_STOP:
            self._dashboard.unlockProtectiveStop()
            self._dashboard.closeSafetyPopup()
        if not self._receive.isConnected():
            self._receive.reconnect()
        self._control.reuploadScript()
        if not self._see_the_program_run():
            raise ControlLostFault(arm, "its program did not start again.")
        self._latch.clear()
        self._watched = False

    @property
    def speed_scaling(self) -> float:
        """How much of a commanded speed the controller allows, 0 to 1."""
        return float(self._receive.getSpeedScaling())

    def facts(self) -> ControllerFacts:
        """What the controller says about itself.

        Raises:
            ControlLostFault: If its program has stopped, which it takes to answer.
        """
        offset = np.array(self._control.getTCPOffset(), np.float64)
        if offset.shape != (6,):
            raise ControlLostFault(self.spec.name, f"{Condition.PROGRAM_STOPPED.value}.")
        return ControllerFacts(
            software=f"PolyScope {self._dashboard.polyscopeVersion()}",
            serial=self._dashboard.getSerialNumber(),
            remote_control=bool(self._dashboard.isInRemoteControl()),
            flange_to_tcp_m=offset[:3],
            payload_kg=float(self._receive.getPayload()),
        )

    def close(self) -> None:
        """See ``ArmDriver``."""
        for part in (self._control, self._receive, self._dashboard):
            if part is not None:
                part.disconnect()
        self._control = self._receive = self._dashboard = None
        self._watched = False
        self._latch = Latch()

    def _see_the_program_run(self) -> bool:
        """Waits until the readings say so, too, which are a little older than the answers."""
        deadline_s = self._now() + _START_S
        while self._condition() is not Condition.OK:
            if self._now() > deadline_s:
                return False
            self._sleep(0.02)
        return True

    def _in_remote_control(self) -> bool:
        """Asks the dashboard, over a new connection: an old one may be broken without notice."""
        try:
            self._dashboard.disconnect()
            self._dashboard.connect()
            return bool(self._dashboard.isInRemoteControl())
        except RuntimeError as error:
            raise ControlLostFault(self.spec.name, f"its dashboard: {error}.") from error

    def _condition(self) -> Condition:
        """What the controller says about itself now."""
        if not self._receive.isConnected():
            return Condition.CONTROL_LOST
        bits = self._receive.getSafetyStatusBits()
        for mask, condition in _SAFETY_BITS:
            if bits & mask:
                return condition
        if self._receive.getRobotMode() != _MODE_RUNNING:
            return Condition.BRAKES_ENGAGED
        status = self._receive.getRobotStatus()
        if status & _TEACH_BUTTON:
            return Condition.SAFEGUARD_STOP  # somebody's hands are on the arm
        if not status & _PROGRAM_RUNNING:
            return Condition.PROGRAM_STOPPED  # why, only ``recover`` has the time to ask
        return Condition.OK
