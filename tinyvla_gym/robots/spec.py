"""The facts about a rig: arms, grippers and cameras, where they stand, how they may move."""

from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.robots.hardware import ArmModel, arm_model
from tinyvla_gym.robots.limits import PROFILES, SafetyLimits
from tinyvla_gym.robots.placement import CameraPlacement
from tinyvla_gym.robots.rotations import rotation_from_rotvec
from tinyvla_gym.robots.workspace import Workspace

Control = Literal["ee", "joint"]
StateCodec = Literal["ee10", "ee7_euler", "joint8", "bi_joint14", "bi_ee20"]
JumpPolicy = Literal["reject", "clip"]
GripperKind = Literal["franka_hand", "robotiq_2f85", "simulated"]
CameraKind = Literal["realsense", "uvc", "zed_left", "file", "synthetic"]
ArmDriverName = Literal["franky", "panda_py", "ur_rtde", "simulated"]

_ARMS_OF_CODEC = {"ee10": 1, "ee7_euler": 1, "joint8": 1, "bi_joint14": 2, "bi_ee20": 2}
_JOINTS_OF_CODEC = {"joint8": 7, "bi_joint14": 6}


@dataclass(frozen=True, kw_only=True)
class GripperSpec:
    """A parallel gripper.

    Attributes:
        kind: Make, which decides the driver.
        width_m: Opening when fully open [m].
        finger_thickness_m: From the inner to the outer face of a finger [m].
        finger_depth_m: Size of a finger across its opening [m].
        port: TCP port of its server, for grippers that have one.
        counts_open: Position [counts of 0 to 255] when fully open; found by calibration.
        counts_closed: Position [counts] when fully closed; found by calibration.
    """

    kind: GripperKind
    width_m: float
    finger_thickness_m: float = 0.012
    finger_depth_m: float = 0.022
    port: int = 63352
    counts_open: int = 3
    counts_closed: int = 228

    def __post_init__(self) -> None:
        _check_choice("gripper", self.kind, get_args(GripperKind))
        _check_positive(
            "A gripper",
            width_m=self.width_m,
            finger_thickness_m=self.finger_thickness_m,
            finger_depth_m=self.finger_depth_m,
        )
        if not 0 <= self.counts_open < self.counts_closed <= 255:
            raise ConfigError(
                "A gripper needs 0 <= counts_open < counts_closed <= 255, got "
                f"{self.counts_open} and {self.counts_closed}."
            )


@dataclass(frozen=True, kw_only=True)
class CameraSpec:
    """A camera and the size of its pictures as a policy sees them.

    Attributes:
        name: Identifier; the observation's key is ``image_<name>``.
        kind: Which driver reads it.
        height: Rows of a picture [px].
        width: Columns of a picture [px].
        fps: Pictures per second [Hz].
        device: Serial number, device number or path, as its driver wants it.
        placement: Where it is; None is not calibrated.
    """

    name: str
    kind: CameraKind
    height: int = 180
    width: int = 320
    fps: float = 30.0
    device: str = ""
    placement: CameraPlacement | None = None

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ConfigError(f"A camera's name must be an identifier, got {self.name!r}.")
        _check_choice("camera kind", self.kind, get_args(CameraKind))
        _check_positive(f"Camera {self.name}", height=self.height, width=self.width, fps=self.fps)


@dataclass(frozen=True, kw_only=True)
class ArmSpec:
    """One arm where it stands.

    Attributes:
        name: Identifier, ``arm`` where there is one, ``left`` and ``right`` where there are two.
        model: Which make, a key of ``hardware.MODELS``.
        driver: Which library moves it.
        host: Network address of its controller.
        base_position_m: Its base in the world (table centre, z up) [m].
        base_rotvec_rad: Rotation vector from its base frame to the world [rad].
        home_rad: Joint angles at which episodes begin [rad].
        workspace: Where its tool may be, in its base frame.
        gripper: What it holds things with.
        tcp_offset_m: Midpoint between the fingertips, in the flange's frame [m].
        tcp_yaw_rad: Turn of the tool about the flange's axis [rad].
        payload_kg: Gripper and what hangs on it [kg].
        lag_s: Time by which the arm's motion follows its commands [s].
        tcp_residual_m: How well ``tcp_offset_m`` is known; None is not calibrated [m].
    """

    name: str
    model: str
    driver: ArmDriverName
    host: str
    base_position_m: tuple[float, ...]
    base_rotvec_rad: tuple[float, ...]
    home_rad: tuple[float, ...]
    workspace: Workspace
    gripper: GripperSpec
    tcp_offset_m: tuple[float, ...]
    tcp_yaw_rad: float = 0.0
    payload_kg: float = 0.0
    lag_s: float = 0.0
    tcp_residual_m: float | None = None

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ConfigError(f"An arm's name must be an identifier, got {self.name!r}.")
        _check_choice("arm driver", self.driver, get_args(ArmDriverName))
        arm = arm_model(self.model)
        for what, values, wanted in (
            ("base_position_m", self.base_position_m, 3),
            ("base_rotvec_rad", self.base_rotvec_rad, 3),
            ("tcp_offset_m", self.tcp_offset_m, 3),
            ("home_rad", self.home_rad, arm.joints),
            ("payload and lag", (self.payload_kg, self.lag_s, self.tcp_yaw_rad), 3),
        ):
            if len(values) != wanted or not all(isfinite(value) for value in values):
                raise ConfigError(
                    f"{what} of arm {self.name} needs {wanted} finite numbers, got {values}."
                )
        if not 0 <= self.payload_kg <= arm.payload_kg:
            raise ConfigError(
                f"Arm {self.name} carries {self.payload_kg} kg; a {arm.name} carries 0 to "
                f"{arm.payload_kg} kg."
            )
        if not 0 <= self.lag_s <= 0.5:
            raise ConfigError(f"lag_s of arm {self.name} must lie in 0 to 0.5 s, got {self.lag_s}.")

    @cached_property
    def arm(self) -> ArmModel:
        """The maker's facts about this arm."""
        return arm_model(self.model)

    @cached_property
    def base_rotation(self) -> NDArray[np.float64]:
        """From the base frame to the world, shape (3, 3)."""
        return rotation_from_rotvec(np.array(self.base_rotvec_rad, np.float64))


@dataclass(frozen=True, kw_only=True)
class RigSpec:
    """One or two arms, their cameras, and how they may move.

    Attributes:
        name: How messages call the rig.
        serial: What must be typed to let it move: the controllers' serial numbers.
        arms: The arms, in the order in which actions name them.
        cameras: The cameras, in the order in which observations name them.
        limits: What the safety filter enforces.
        control: What an action is: tool poses (``ee``) or joint angles (``joint``).
        state: How the state is written; None follows ``control``.
        control_hz: Rate at which actions are consumed [Hz].
        tick_hz: Rate at which commands are sent; 0 is the arms' usual one [Hz].
        jump_policy: Whether a target too far away is refused or moved nearer.
        calibration_residual_m: How well the bases' places are known; None is not calibrated [m].
        table_residual_m: How well the table's plane is known; None is not calibrated [m].
    """

    name: str
    serial: str
    arms: tuple[ArmSpec, ...]
    cameras: tuple[CameraSpec, ...] = ()
    limits: SafetyLimits = field(default=PROFILES["eval"])
    control: Control = "ee"
    state: StateCodec | None = None
    control_hz: float = 15.0
    tick_hz: float = 0.0
    jump_policy: JumpPolicy = "reject"
    calibration_residual_m: float | None = None
    table_residual_m: float | None = None

    def __post_init__(self) -> None:
        _check_choice("control", self.control, get_args(Control))
        _check_choice("jump policy", self.jump_policy, get_args(JumpPolicy))
        self._check_arms()
        self._check_rates()
        self._check_codec()

    @property
    def period_s(self) -> float:
        """Time between two commands [s]."""
        return 1.0 / (self.tick_hz or self.arms[0].arm.tick_hz[0])

    @property
    def codec(self) -> StateCodec:
        """How the state is written."""
        if self.state is not None:
            return self.state
        pair = len(self.arms) == 2
        if self.control == "ee":
            return "bi_ee20" if pair else "ee10"
        return "bi_joint14" if pair else "joint8"

    def _check_arms(self) -> None:
        names = [arm.name for arm in self.arms]
        if len(names) not in (1, 2) or len(set(names)) < len(names):
            raise ConfigError(f"A rig has one arm or two of different names, got {names}.")
        if len({arm.model for arm in self.arms}) > 1:
            raise ConfigError("Both arms of a rig must be of one model: they share one tick.")
        if len(names) == 2 and not self.arms[0].model.startswith("ur"):
            raise ConfigError("Two arms must be Universal Robots arms: rule 13 knows their shape.")
        for arm in self.arms:
            excesses = self.limits.excesses(arm.arm)
            if excesses:
                raise ConfigError(
                    f"Rig {self.name} asks more than its arm allows: {'; '.join(excesses)}."
                )
            margin = self.limits.joint_margin_rad
            model = arm.arm
            triples = zip(model.joint_low_rad, arm.home_rad, model.joint_high_rad, strict=True)
            for index, (low, home, high) in enumerate(triples, 1):
                if not low + margin <= home <= high - margin:
                    raise ConfigError(
                        f"Home of arm {arm.name}: joint {index} at {home} rad is not within "
                        f"{low + margin:.3f} to {high - margin:.3f} rad."
                    )

    def _check_rates(self) -> None:
        allowed = self.arms[0].arm.tick_hz
        if self.tick_hz and self.tick_hz not in allowed:
            raise ConfigError(
                f"A {self.arms[0].model} is sent commands at {' or '.join(map(str, allowed))} Hz, "
                f"not at {self.tick_hz}."
            )
        if not 1.0 <= self.control_hz <= 60.0:
            raise ConfigError(f"control_hz must lie in 1 to 60 Hz, got {self.control_hz}.")

    def _check_codec(self) -> None:
        if self.state is not None:
            _check_choice("state codec", self.state, get_args(StateCodec))
        joints = self.arms[0].arm.joints
        wanted = _ARMS_OF_CODEC[self.codec]
        if wanted != len(self.arms) or _JOINTS_OF_CODEC.get(self.codec, joints) != joints:
            raise ConfigError(
                f"The state {self.codec} does not fit {len(self.arms)} arm(s) of {joints} joints."
            )


def _check_choice(kind: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise UnknownNameError(kind, name, known)


def _check_positive(owner: str, **values: float) -> None:
    for name, value in values.items():
        if not (isfinite(value) and value > 0):
            raise ConfigError(f"{owner} needs a positive {name}, got {value}.")
