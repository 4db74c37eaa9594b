"""The emulated Universal Robots controller itself: registers in, motion out. No sockets in here.

It carries out what the control script of ``ur_rtde`` would do on a real controller: commands
arrive in input registers, answers leave in output registers (commands by number in ``_command``).
Joints follow servo targets like a critically damped filter that lags by the lookahead time.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.hardware import arm_model
from tinyvla_gym.robots.rotations import rotvec_from_rotation
from tinyvla_gym.robots.ur_forward import UrKinematics

Array = NDArray[np.float64]

SERVO_JOINTS, MOVE_JOINTS, STOP_SCRIPT, SET_WATCHDOG, IS_STEADY = 11, 1, 255, 35, 47
GET_TCP_OFFSET = 40
_STREAMING = {6, 9, 10, 11, 24, 25, 26, 27, 38, 58, *range(66, 72)}
_POWER_ON, _PROGRAM_RUNNING, _TEACH_BUTTON = 1, 2, 4
_NORMAL, _PROTECTIVE, _SAFEGUARD, _EMERGENCY = 1, 4, 16, 128
_SAFETY_MODES = {_NORMAL: 1, _PROTECTIVE: 3, _SAFEGUARD: 5, _EMERGENCY: 7}
SAFETY_WORDS = {
    _NORMAL: "NORMAL",
    _PROTECTIVE: "PROTECTIVE_STOP",
    _SAFEGUARD: "SAFEGUARD_STOP",
    _EMERGENCY: "ROBOT_EMERGENCY_STOP",
}
_MODE_POWER_OFF, _MODE_RUNNING = 3, 7
_SPEED_MAX_RAD_S = 3.14
_ACCELERATION_MAX_RAD_S2 = 40.0
_STEP_MAX_RAD_S = 3.5  # a target that implies more makes the controller stop
_LOOKAHEAD_S = 0.1


@dataclass
class Faults:
    """What a test has asked to go wrong."""

    remote_control: bool = True
    script_refused: bool = False
    frozen: bool = False
    """Nothing is sent any more."""
    delay_s: float = 0.0
    """Every packet comes so much later."""
    jitter_s: float = 0.0
    """Every packet comes up to so much later."""
    registers_in_use: set[str] = field(default_factory=set)
    """Input registers that another client owns."""
    teach_button: bool = False
    """Somebody holds the button that lets the arm be moved by hand."""
    speed_scaling: float = 1.0
    """Where the speed slider on the pendant stands, 0 to 1."""


class UrMachine:
    """One controller with its arm. ``step`` moves it on; everything else only changes facts."""

    def __init__(self, model: str, joints_rad: Array) -> None:
        """Stands still at some joint angles, powered on, no program running."""
        self._model = arm_model(model)
        self.set_tool((0.0, 0.0, 0.0), 0.0)
        self._limits = np.array(arm_model(model).joint_high_rad)
        self.lock = threading.RLock()
        self.faults = Faults()
        self.inputs: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}
        self.commands_seen: list[int] = []
        self.watchdog_hz = 0.0
        self.program_running = False
        self.safety = _NORMAL
        self.powered = True
        self.time_s = 0.0
        self.wrench = (0.0,) * 6
        self.joints_rad = np.array(joints_rad, np.float64)
        self.speeds_rad_s = np.zeros(6)
        self._target_rad = self.joints_rad.copy()
        self._moving_to: Array | None = None
        self.fed_s = 0.0
        self._last_command = 0

    def set_tool(self, tcp_offset_m: Sequence[float], payload_kg: float) -> None:
        """What the installation on the controller says about tool and payload."""
        self.tcp_offset_m, self.payload_kg = tuple(tcp_offset_m), payload_kg
        self._kinematics = UrKinematics(self._model, tcp_offset_m=np.array(tcp_offset_m))

    def load_script(self, text: str) -> None:
        """A client has sent a program; the one of ``ur_rtde`` is recognised by its name."""
        with self.lock:
            if self.faults.script_refused or self.safety != _NORMAL or not self.powered:
                return
            if "rtde_control" in text or "ur_rtde" in text:
                self.inputs["input_int_register_0"] = self._last_command = 0
                self.watchdog_hz = 0.0
                self._target_rad = self.joints_rad.copy()
                self.program_running = True
                self.outputs["output_int_register_0"] = 1

    def feed(self, values: dict[str, Any]) -> None:
        """A client has written input registers."""
        with self.lock:
            self.inputs.update(values)
            self.fed_s = self.time_s
            self._command(int(self.inputs.get("input_int_register_0", 0)))

    def stop_program(self) -> None:
        """The program ends; the arm brakes."""
        with self.lock:
            self.program_running = False
            self._moving_to = None
            self._target_rad = self.joints_rad.copy()

    def protective_stop(self) -> None:
        """The controller stops the arm on its own."""
        self._stop(_PROTECTIVE)

    def safeguard_stop(self) -> None:
        """Somebody has stepped through a light barrier."""
        self._stop(_SAFEGUARD)

    def emergency_stop(self) -> None:
        """Somebody has pressed the button."""
        self._stop(_EMERGENCY)

    def power_off(self) -> None:
        """The motors lose their power, and the brakes engage."""
        self.powered = False
        self.stop_program()

    def clear_at_the_robot(self) -> None:
        """A person has been there, and everything is as it should be."""
        with self.lock:
            self.safety, self.powered = _NORMAL, True

    def unlock_protective_stop(self) -> bool:
        """Clears a protective stop, and nothing else; says whether there was one."""
        with self.lock:
            if self.safety != _PROTECTIVE:
                return False
            self.safety = _NORMAL
            return True

    def step(self, period_s: float) -> None:
        """Moves time on by one cycle."""
        with self.lock:
            self.time_s += period_s
            starved_s = self.time_s - self.fed_s
            if self.program_running and self.watchdog_hz and starved_s > 1 / self.watchdog_hz:
                self.stop_program()
            if self.program_running:
                self._servo(period_s)
            else:
                self._brake(period_s)
            self.joints_rad = self.joints_rad + self.speeds_rad_s * period_s
            self._finish_move()

    def reading(self) -> dict[str, Any]:
        """All output fields by name."""
        with self.lock:
            at_m, rotation = self._kinematics.tool_path(self.joints_rad[None])
            pose = (*at_m[0].tolist(), *rotvec_from_rotation(rotation[0]).tolist())
            joints, speeds = tuple(self.joints_rad.tolist()), tuple(self.speeds_rad_s.tolist())
            power = _POWER_ON if self.powered else 0
            program = _PROGRAM_RUNNING if self.program_running else 0
            teach = _TEACH_BUTTON if self.faults.teach_button else 0
            return {
                **self.outputs,
                "timestamp": self.time_s,
                "actual_q": joints,
                "target_q": tuple(self._target_rad.tolist()),
                "actual_qd": speeds,
                "actual_TCP_pose": pose,
                "actual_TCP_force": self.wrench,
                "robot_mode": _MODE_RUNNING if self.powered else _MODE_POWER_OFF,
                "joint_mode": (253,) * 6,
                "safety_mode": _SAFETY_MODES[self.safety],
                "safety_status": _SAFETY_MODES[self.safety],
                "safety_status_bits": self.safety | (0 if self.safety == _NORMAL else 1 << 10),
                "robot_status_bits": power | program | teach,
                "runtime_state": 2 if program else 1,
                "speed_scaling": self.faults.speed_scaling,
                "target_speed_fraction": self.faults.speed_scaling,
                "payload": self.payload_kg,
            }

    def _stop(self, safety: int) -> None:
        with self.lock:
            self.safety = safety
            self.stop_program()

    def _command(self, number: int) -> None:
        """Carries out the command in register 0, new ones once, streaming ones every time."""
        if not self.program_running:
            return
        if number == 0:
            self.outputs["output_int_register_0"] = 1
        elif number in _STREAMING:
            if number == SERVO_JOINTS:
                self._servo_to(self._argument_joints())
            self.outputs["output_int_register_0"] = 1
        elif number != self._last_command:
            self._execute(number)
        if number != self._last_command:
            self.commands_seen.append(number)
        self._last_command = number

    def _execute(self, number: int) -> None:
        if number == STOP_SCRIPT:
            self.stop_program()
        elif number == MOVE_JOINTS:
            self._moving_to = self._argument_joints()
            if self.inputs.get("input_int_register_1", 0) == 0:
                self.outputs["output_int_register_0"] = 0
                return  # done when it gets there
        elif number == SET_WATCHDOG:
            self.watchdog_hz = float(self.inputs.get("input_double_register_0", 0.0))
        elif number == GET_TCP_OFFSET:
            offset = (*self.tcp_offset_m, 0.0, 0.0, 0.0)
            self.outputs |= {f"output_double_register_{i}": v for i, v in enumerate(offset)}
        elif number == IS_STEADY:
            steady = np.abs(self.speeds_rad_s).max() < 1e-3
            self.outputs["output_int_register_1"] = int(steady)
        self.outputs["output_int_register_0"] = 2

    def _argument_joints(self) -> Array:
        names = [f"input_double_register_{index}" for index in range(6)]
        return np.array([self.inputs.get(name, 0.0) for name in names], np.float64)

    def _servo_to(self, target_rad: Array) -> None:
        """Takes a servo target, or stops as the real controller does on an impossible one."""
        inside = np.isfinite(target_rad).all() and (np.abs(target_rad) <= self._limits).all()
        if (
            not inside
            or np.abs(target_rad - self.joints_rad).max() > _STEP_MAX_RAD_S * _LOOKAHEAD_S
        ):
            self.protective_stop()
            return
        self._moving_to = None
        self._target_rad = target_rad

    def _servo(self, period_s: float) -> None:
        if self._moving_to is not None:
            away = self._moving_to - self._target_rad
            most = self.faults.speed_scaling * period_s  # blocking moves go at 1 rad/s
            self._target_rad = self._target_rad + np.clip(away, -most, most)
        stiffness = 2.0 / _LOOKAHEAD_S  # critically damped, lag of the lookahead time
        pull = stiffness**2 * (self._target_rad - self.joints_rad)
        wanted = pull - 2.0 * stiffness * self.speeds_rad_s
        bounded = np.clip(wanted, -_ACCELERATION_MAX_RAD_S2, _ACCELERATION_MAX_RAD_S2)
        fastest = self.faults.speed_scaling * _SPEED_MAX_RAD_S
        speeds = self.speeds_rad_s + bounded * period_s
        self.speeds_rad_s = np.clip(speeds, -fastest, fastest)

    def _brake(self, period_s: float) -> None:
        slower = _ACCELERATION_MAX_RAD_S2 * period_s
        size = np.maximum(np.abs(self.speeds_rad_s) - slower, 0.0)
        self.speeds_rad_s = np.sign(self.speeds_rad_s) * size

    def _finish_move(self) -> None:
        if self._moving_to is None or np.abs(self._moving_to - self.joints_rad).max() > 1e-3:
            return
        self._moving_to = None
        if self.outputs.get("output_int_register_0") == 0:  # else nobody waits for the end
            self.outputs["output_int_register_0"] = 2
