"""The one observation/action interface: what an env shows and what it accepts.

Letters for shapes, here and everywhere: N envs, K actions in a chunk, A action entries,
S state entries, H and W image height and width [px].
"""

import string
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError, InstructionError

Observation = dict[str, Any]
"""``image_<camera>`` uint8 RGB (H, W, 3), ``state`` float32 (S,), ``instruction`` str."""

ActionChunk = NDArray[np.float32]
"""Actions for the next K control ticks, shape (K, A)."""

ActionMode = Literal["native", "ee"]

INSTRUCTION_LENGTH = 256
INSTRUCTION_CHARACTERS = string.ascii_letters + string.digits + string.punctuation + " "


def check_instruction(instruction: str) -> str:
    """Returns the sentence if the interface can carry it.

    Args:
        instruction: At most 256 printable ASCII characters; may be empty.

    Raises:
        InstructionError: If it is too long or has other characters.
    """
    strangers = sorted(set(instruction) - set(INSTRUCTION_CHARACTERS))
    if strangers:
        raise InstructionError(
            f"The instruction {instruction!r} has characters outside printable ASCII: "
            f"{strangers}. Spell them out."
        )
    if len(instruction) > INSTRUCTION_LENGTH:
        raise InstructionError(
            f"The instruction has {len(instruction)} characters, more than {INSTRUCTION_LENGTH}."
        )
    return instruction


@dataclass(frozen=True, kw_only=True)
class Camera:
    """One camera of an interface: its name and the size of its pictures [px]."""

    name: str
    height: int
    width: int

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ConfigError(f"A camera's name must be an identifier, got {self.name!r}.")
        if self.height < 1 or self.width < 1:
            raise ConfigError(
                f"Camera {self.name} needs a positive size, got {self.height} x {self.width} px."
            )


@dataclass(frozen=True, kw_only=True)
class Interface:
    """What flows between an env and a policy, with names, units and bounds.

    A policy may drive an env when their interfaces are equal.

    Attributes:
        cameras: The cameras, in order.
        state: Names of the S state entries, unit last: ``hand_x_m``.
        state_low: Smallest value of each state entry.
        state_high: Largest value of each state entry.
        action: Names of the A action entries, unit last.
        action_low: Smallest value of each action entry.
        action_high: Largest value of each action entry.
        control_hz: Rate at which actions are consumed [Hz].
        action_mode: ``native`` is the body's own action, ``ee`` the one all bodies share.
    """

    cameras: tuple[Camera, ...]
    state: tuple[str, ...]
    state_low: tuple[float, ...]
    state_high: tuple[float, ...]
    action: tuple[str, ...]
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    control_hz: float
    action_mode: ActionMode

    def __post_init__(self) -> None:
        for what, names, low, high in (
            ("state", self.state, self.state_low, self.state_high),
            ("action", self.action, self.action_low, self.action_high),
        ):
            if not len(names) == len(low) == len(high):
                raise ConfigError(
                    f"{what} has {len(names)} names, {len(low)} lower and {len(high)} upper bounds."
                )
        names = [camera.name for camera in self.cameras]
        if len(set(names)) < len(names):
            raise ConfigError(f"Two cameras share a name: {', '.join(names)}.")

    def observation_space(self) -> spaces.Dict:
        """Flat, with one key per camera, ``state`` and ``instruction``."""
        images = {
            f"image_{camera.name}": spaces.Box(0, 255, (camera.height, camera.width, 3), np.uint8)
            for camera in self.cameras
        }
        state = _box(self.state_low, self.state_high)
        words = spaces.Text(INSTRUCTION_LENGTH, min_length=0, charset=INSTRUCTION_CHARACTERS)
        return spaces.Dict({**images, "state": state, "instruction": words})

    def action_space(self) -> spaces.Box:
        """One control tick, shape (A,), in the units named by ``action``."""
        return _box(self.action_low, self.action_high)

    def differences(self, other: "Interface") -> list[str]:
        """Says, field by field, where ``other`` departs from this interface."""
        return [
            f"{field.name}: {_shown(getattr(self, field.name))} "
            f"against {_shown(getattr(other, field.name))}"
            for field in fields(self)
            if getattr(self, field.name) != getattr(other, field.name)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain lists, numbers and strings, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Interface":
        """Reads what ``to_dict`` wrote, also after JSON turned tuples into lists."""
        plain = {
            key: tuple(value) if isinstance(value, list | tuple) else value
            for key, value in facts.items()
        }
        return cls(**{**plain, "cameras": tuple(Camera(**camera) for camera in facts["cameras"])})


def _box(low: tuple[float, ...], high: tuple[float, ...]) -> spaces.Box:
    return spaces.Box(np.array(low, np.float32), np.array(high, np.float32))


def _shown(value: object) -> str:
    if isinstance(value, tuple) and all(isinstance(entry, Camera) for entry in value):
        return ", ".join(f"{c.name} {c.height}x{c.width}" for c in value) or "none"
    return str(value)
