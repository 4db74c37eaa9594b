"""What a protocol shows of an env: cropped and resized pictures, more state, a settled scene."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.delay import standing
from tinyvla_gym.envs.env import Tick
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.evaluation.protocols import Protocol
from tinyvla_gym.interface import Interface, Observation

_ENTRIES = (
    *("hand_x_m", "hand_y_m", "hand_z_m", "gripper_open_frac"),
    *("object_x_m", "object_y_m", "object_z_m", "object_qx"),
)
_FARTHEST_M = 2.0  # nothing in MetaWorld's scenes is farther from their origin


def needs_view(protocol: Protocol) -> bool:
    """Whether a protocol shows anything otherwise than the env itself does."""
    pictures = protocol.crop_frac < 1 or protocol.picture_px is not None
    return pictures or protocol.state_entries is not None or protocol.settle > 0


class ProtocolView(gym.Wrapper[Observation, NDArray[np.float32], Observation, NDArray[np.float32]]):
    """Shows a MetaWorld env as a protocol wants it; actions do not change.

    Has the ``interface`` that a policy must fit. The env inside must leave ``settle`` ticks to
    spare beyond the protocol's horizon.
    """

    def __init__(self, env: gym.Env, protocol: Protocol) -> None:
        """Wraps ``env``.

        Raises:
            ConfigError: If the state should have entries that MetaWorld has not.
        """
        super().__init__(env)
        entries = protocol.state_entries
        if entries is not None and not 1 <= entries <= len(_ENTRIES):
            raise ConfigError(f"The state can have 1 to {len(_ENTRIES)} entries, not {entries}.")
        self._protocol = protocol
        self._privileged = np.zeros(0)
        self.interface = _viewed(env.get_wrapper_attr("interface"), protocol)
        self.observation_space = self.interface.observation_space()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begins an episode and lets the scene settle."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._privileged = info.get("privileged", self._privileged)
        still = standing(self.env.get_wrapper_attr("interface"), observation["state"])
        for left in reversed(range(self._protocol.settle)):
            if left:
                self.advance(still)
            else:  # the policy's first look
                observation, *_, ticked = self.env.step(still)
                self._privileged = ticked.get("privileged", self._privileged)
        return self._seen(observation), info

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Plays one control tick and looks."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._privileged = info.get("privileged", self._privileged)
        return self._seen(observation), float(reward), terminated, truncated, info

    def advance(self, action: NDArray[np.float32]) -> Tick:
        """Plays one control tick without drawing a picture."""
        tick = self.env.get_wrapper_attr("advance")(action)
        self._privileged = tick[3].get("privileged", self._privileged)
        return tick

    def _seen(self, observation: Observation) -> Observation:
        protocol = self._protocol
        seen = dict(observation)
        for camera in self.interface.cameras:
            picture = middle(seen[f"image_{camera.name}"], protocol.crop_frac)
            seen[f"image_{camera.name}"] = resized(picture, camera.height)
        if protocol.state_entries is not None:
            seen["state"] = self._privileged[: protocol.state_entries].astype(np.float32)
        return seen


def middle(picture: NDArray[np.uint8], frac: float) -> NDArray[np.uint8]:
    """Cuts out the middle.

    Args:
        picture: Shape (H, W, 3).
        frac: The part of each edge that is kept, rounded to whole pixels.
    """
    height, width = (max(1, round(edge * frac)) for edge in picture.shape[:2])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]


def resized(picture: NDArray[np.uint8], edge_px: int) -> NDArray[np.uint8]:
    """Resizes to a square, bilinearly between pixel centres and without smoothing first.

    That is what OpenCV's INTER_LINEAR does, to within its rounding.

    Args:
        picture: Shape (H, W, 3).
        edge_px: Height and width of the answer.
    """
    if picture.shape[:2] == (edge_px, edge_px):
        return np.ascontiguousarray(picture)
    for axis in (0, 1):
        size = picture.shape[axis]
        places = np.clip((np.arange(edge_px) + 0.5) * size / edge_px - 0.5, 0, size - 1)
        before = np.floor(places).astype(int)
        after = np.minimum(before + 1, size - 1)
        shape = [1, 1, 1]
        shape[axis] = edge_px
        share = (places - before).reshape(shape)
        taken = np.take(picture, before, axis), np.take(picture, after, axis)
        picture = taken[0] * (1 - share) + taken[1] * share  # pyright: ignore[reportAssignmentType]
    return np.round(picture).astype(np.uint8)


def _viewed(interface: Interface, protocol: Protocol) -> Interface:
    cameras = tuple(
        replace(
            camera,
            height=protocol.picture_px or round(camera.height * protocol.crop_frac),
            width=protocol.picture_px or round(camera.width * protocol.crop_frac),
        )
        for camera in interface.cameras
    )
    if protocol.state_entries is None:
        return replace(interface, cameras=cameras)
    names = _ENTRIES[: protocol.state_entries]
    bounds = (_FARTHEST_M,) * len(names)
    return replace(
        interface,
        cameras=cameras,
        state=names,
        state_low=tuple(-bound for bound in bounds),
        state_high=bounds,
    )
