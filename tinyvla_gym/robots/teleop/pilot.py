"""From what a hand says to the tool poses of an ``ee`` action: dead-man, clutch, scale, axes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym import pose
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.interface import Interface, Observation
from tinyvla_gym.robots.rotations import rotation_from_rotvec
from tinyvla_gym.robots.teleop.device import Reading, TeleopDevice, ToolPose, Verdict

Array = NDArray[np.float64]

_POSE = len(pose.EE_NAMES)
_AXES = {"x": 0, "y": 1, "z": 2, "rx": 3, "ry": 4, "rz": 5}


@dataclass(frozen=True, kw_only=True)
class Handling:
    """How a hand's motions become a tool's.

    Attributes:
        speed_m_s: Tool speed at full deflection [m/s].
        turn_rad_s: Its angular speed at full deflection [rad/s].
        gripper_frac_s: Share of its range by which the gripper opens or closes in a second.
        scale: By how much a leader's motions are enlarged, 1 as they are.
        axes: Which of the device's axes moves the tool along x, y, z and turns it about them, with
            a sign: ``("-y", "x", "z", "rx", "ry", "rz")``.
        leash_m: The target stays so near to the tool, so that it stops when the hand does [m].
        silent_s: A device that was not heard for so long counts as silent: nothing moves [s].
    """

    speed_m_s: float = 0.15
    turn_rad_s: float = 0.6
    gripper_frac_s: float = 2.0
    scale: float = 1.0
    axes: tuple[str, ...] = ("x", "y", "z", "rx", "ry", "rz")
    leash_m: float = 0.05
    silent_s: float = 0.25

    def __post_init__(self) -> None:
        named = sorted(_AXES.get(axis.lstrip("+-"), -1) for axis in self.axes)
        if named != list(range(6)):
            raise ConfigError(f"axes must name each of {', '.join(_AXES)} once, got {self.axes}.")
        for name in ("speed_m_s", "turn_rad_s", "gripper_frac_s", "scale", "leash_m", "silent_s"):
            if not 0 < getattr(self, name) < np.inf:
                raise ConfigError(f"{name} must be positive, got {getattr(self, name)}.")

    @property
    def axis_matrix(self) -> Array:
        """From the device's axes to the tool's, shape (6, 6)."""
        matrix = np.zeros((6, 6))
        for row, axis in enumerate(self.axes):
            matrix[row, _AXES[axis.lstrip("+-")]] = -1.0 if axis.startswith("-") else 1.0
        return matrix


@dataclass(kw_only=True, eq=False)
class _Grip:
    """What one arm is asked for, and where its leader was taken up.

    Attributes:
        position_m: Target of the tool, shape (3,).
        rotation: Target, tool to base, shape (3, 3).
        open_frac: Target of the gripper.
        taken_up: The leader's pose and the tool's at engagement; None where it is released.
    """

    position_m: Array
    rotation: Array
    open_frac: float
    taken_up: tuple[ToolPose, Array, Array] | None = field(default=None)


class Pilot:
    """Turns the readings of one device, or of one device per arm, into ``ee`` actions.

    ``fly`` is called once per control tick. While nobody holds the dead-man switch, and while a
    device is silent, the target stays where it is.
    """

    def __init__(
        self,
        interface: Interface,
        devices: Sequence[TeleopDevice],
        *,
        handling: Handling | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Checks that the env can be driven; the devices must be open before ``fly``.

        Args:
            interface: The env's.
            devices: One, or one per arm in their order.
            handling: Scale, axes and the like.
            now: The devices' clock [s].

        Raises:
            ConfigError: If the env takes no tool poses, its state does not tell where the tools
                are, or the number of devices is another.
        """
        self.handling = Handling() if handling is None else handling
        self._now, self._devices = now, tuple(devices)
        if interface.action_mode != "ee":
            raise ConfigError('Teleoperation needs an env made with action_mode="ee".')
        if not set(interface.action) <= set(interface.state):
            raise ConfigError(
                "Teleoperation starts from where the tools are, but the state does not tell it: "
                f"it has {', '.join(interface.state)}."
            )
        self._places = [interface.state.index(name) for name in interface.action]
        self._arms = len(interface.action) // _POSE
        if len(self._devices) not in (1, self._arms):
            raise ConfigError(f"{len(self._devices)} devices for {self._arms} arms: one, or each.")
        self._period_s = 1.0 / interface.control_hz
        self._low, self._high = interface.action_low, interface.action_high
        self._grips: list[_Grip] = []
        self.engaged = False
        self.verdict: Verdict | None = None

    def reset(self) -> None:
        """Forgets the targets; call at the beginning of an episode."""
        self._grips = []
        self.engaged = False
        self.verdict = None

    def fly(self, observation: Observation) -> NDArray[np.float32]:
        """Reads the devices and moves the targets on by one tick.

        ``engaged`` then tells whether a person is in charge. One who holds the switch while the
        device falls silent stays in charge, and holds still: nobody has let go.

        Args:
            observation: What the env shows now.

        Returns:
            The action, shape (A,).

        Raises:
            DeviceError: If a device is gone.
        """
        tools = np.asarray(observation["state"], np.float64)[self._places].reshape(-1, _POSE)
        if not self._grips:
            self._grips = [_grip(tool) for tool in tools]
        readings = [device.read() for device in self._devices]
        self._heed(readings)
        for index, reading in enumerate(readings):
            arm = reading.arm if len(readings) < self._arms else index
            fresh = self._now() - reading.stamp_s <= self.handling.silent_s
            self._move(self._grips[min(arm, self._arms - 1)], reading, moves=fresh)
        for grip, tool in zip(self._grips, tools, strict=True):
            self._leash(grip, tool)
        packed = [pose.pack(grip.position_m, grip.rotation, grip.open_frac) for grip in self._grips]
        return np.clip(np.concatenate(packed), self._low, self._high).astype(np.float32)

    def _heed(self, readings: Sequence[Reading]) -> None:
        """Who is in charge from here on; whoever takes over starts from where the tools are."""
        fresh = [self._now() - one.stamp_s <= self.handling.silent_s for one in readings]
        held = any(one.engaged for one in readings)
        released = all(fresh) and not held
        self.engaged = held and any(fresh) if not self.engaged else not released
        for one in readings:
            self.verdict = one.verdict or self.verdict

    def _move(self, grip: _Grip, reading: Reading, *, moves: bool) -> None:
        if not (moves and reading.engaged):
            grip.taken_up = None
            return
        if reading.pose is not None:
            self._follow(grip, reading.pose)
            return
        handling = self.handling
        twist = handling.axis_matrix @ np.clip(np.nan_to_num(reading.twist), -1.0, 1.0)
        grip.position_m = grip.position_m + twist[:3] * handling.speed_m_s * self._period_s
        turn_rad = twist[3:] * handling.turn_rad_s * self._period_s
        grip.rotation = rotation_from_rotvec(turn_rad) @ grip.rotation
        opened = grip.open_frac + reading.gripper * handling.gripper_frac_s * self._period_s
        grip.open_frac = float(np.clip(opened, 0.0, 1.0))

    def _follow(self, grip: _Grip, leader: ToolPose) -> None:
        """The clutch: what the leader moved since it was taken up, the tool moves, too."""
        if grip.taken_up is None:
            grip.taken_up = (leader, grip.position_m, grip.rotation)
        start, position_m, rotation = grip.taken_up
        axes = self.handling.axis_matrix[:3, :3]
        moved_m = axes @ (leader.position_m - start.position_m)
        grip.position_m = position_m + self.handling.scale * moved_m
        grip.rotation = axes @ leader.rotation @ start.rotation.T @ axes.T @ rotation
        grip.open_frac = leader.gripper_open_frac

    def _leash(self, grip: _Grip, tool: Array) -> None:
        away_m = grip.position_m - tool[:3]
        distance_m = float(np.linalg.norm(away_m))
        if distance_m > self.handling.leash_m:
            grip.position_m = tool[:3] + away_m * (self.handling.leash_m / distance_m)

    def take_over(self) -> None:
        """Starts from where the tools are at the next ``fly``: somebody else has moved them."""
        self._grips = []


def _grip(tool: Array) -> _Grip:
    """A target at the tool, from ten numbers of the state."""
    rotation = pose.rotation_from_rows(tool[3:9].reshape(2, 3))
    return _Grip(position_m=tool[:3].copy(), rotation=rotation, open_frac=float(tool[9]))
