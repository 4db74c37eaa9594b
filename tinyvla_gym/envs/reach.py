"""A toy with the full interface: a point hand, two targets, and a sentence that names one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym import pose
from tinyvla_gym.envs.cameras import CameraSize, sized_camera
from tinyvla_gym.envs.drawing import VIEWS, Ball, DrawingProfile, draw
from tinyvla_gym.envs.env import ManipulationEnv
from tinyvla_gym.envs.sentences import SentenceSet
from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.interface import ActionMode, Camera, Interface, Observation

CONTROL_HZ = 20.0
HORIZON = 60
CAMERAS = {"top": 32, "front": 32}
STEP_M = 0.03  # what a native action of 1 moves the hand by
GRIPPER_STEP_FRAC = 0.2  # what it opens or closes the gripper by
SUCCESS_M = 0.05
COLOURS = ("red", "blue")

PROFILES = {
    "kinematic-1": DrawingProfile(
        name="kinematic-1",
        floor=(205, 185, 155),
        wall=(222, 226, 230),
        hand=(45, 45, 50),
        red=(210, 40, 40),
        blue=(40, 70, 210),
        finger_radius_m=0.025,
        target_radius_m=SUCCESS_M,
    )
}

TEMPLATES: dict[SentenceSet, tuple[str, ...]] = {
    "default": ("reach the {} target",),
    "train": (
        "reach the {} target",
        "move the hand to the {} target",
        "go to the {} ball",
        "touch the {} ball with the gripper",
        "bring the gripper to the {} spot",
        "guide the hand over to the {} spot",
    ),
    "heldout": (  # new sentences of the words above
        "bring the hand over to the {} ball",
        "touch the {} target with the hand",
        "guide the gripper to the {} target",
    ),
}

_CUBE_LOW, _CUBE_HIGH = (-0.5, 0.0, 0.0), (0.5, 1.0, 1.0)  # stands on a table
_LOW, _HIGH = np.array(_CUBE_LOW), np.array(_CUBE_HIGH)
_EE_LOW, _EE_HIGH = (*_CUBE_LOW, *(-1.0,) * 6, 0.0), (*_CUBE_HIGH, *(1.0,) * 6, 1.0)
_MARGIN_M = 0.1
_APART_M = 0.25
_DOWN = np.diag([1.0, -1.0, -1.0])  # the tool points at the table


class ReachEnv(ManipulationEnv):
    """Bring the hand within 5 cm of the target that the sentence names.

    Nothing has mass: an episode takes milliseconds. ``native`` actions move the hand by up to
    3 cm per tick along each axis, and the gripper shut (+1) or open (-1). ``ee`` actions are
    absolute tool poses, approached by such steps; the hand cannot turn, so the rotation is
    ignored. Out-of-range actions are clipped. The reward is minus the distance [m].

    ``reset`` knows two options: ``instruction``, which replaces the words and not the target;
    ``target``, which is ``red`` or ``blue``.

    ``info["privileged"]`` is hand, opening, red target, blue target and the wanted one,
    float64, shape (13,).
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012 (Gymnasium's name)

    def __init__(
        self,
        *,
        cameras: Mapping[str, CameraSize] = CAMERAS,
        profile: str = "kinematic-1",
        action_mode: ActionMode = "native",
        instructions: SentenceSet = "default",
        horizon: int = HORIZON,
        terminate_on_success: bool = True,
        linger: int = 0,
        render_mode: str | None = "rgb_array",
        render_size: CameraSize = 480,
    ) -> None:
        """Builds the table.

        Args:
            cameras: ``top`` and ``front`` to picture size [px], (height, width) or one number.
            profile: How pictures are drawn; there is only ``kinematic-1``.
            action_mode: ``native`` or ``ee``; the state follows.
            instructions: Which sentences ``reset`` draws from.
            horizon: Control ticks after which the episode is truncated.
            terminate_on_success: Whether success ends the episode.
            linger: Control ticks to play on after the first success before it does.
            render_mode: ``rgb_array``; ``render()`` is for people, policies have cameras.
            render_size: Size of each half of ``render()`` [px], as for ``cameras``.

        Raises:
            UnknownNameError: If a camera, the profile, a mode or a set does not exist.
            ConfigError: If a size or the horizon is not positive.
        """
        for kind, names, known in (
            ("camera", cameras, VIEWS),
            ("render profile", (profile,), PROFILES),
            ("action mode", (action_mode,), ("native", "ee")),
            ("render mode", (render_mode or "rgb_array",), ("rgb_array",)),
            ("set of sentences", (instructions,), TEMPLATES),
        ):
            for name in names:
                if name not in known:
                    raise UnknownNameError(kind, name, known)
        super().__init__(
            _interface(tuple(sized_camera(*item) for item in cameras.items()), action_mode),
            name="Reach",
            horizon=horizon,
            terminate_on_success=terminate_on_success,
            linger=linger,
        )
        self.profile = PROFILES[profile]
        self.render_mode = render_mode
        self._instructions: SentenceSet = instructions
        self._render_camera = sized_camera("render", render_size)
        self._hand_m = (_LOW + _HIGH) / 2
        self._open_frac = 1.0
        self._targets_m: dict[str, NDArray[np.float64]] = {}
        self._wanted = ""

    def _begin(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        target = options.pop("target", None)
        if options:
            raise ConfigError(f"{self.name} knows no reset option {sorted(options)}.")
        if target is not None and target not in COLOURS:
            raise UnknownNameError("target", target, COLOURS)
        world, words = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
        self._hand_m, red_m, blue_m = _scattered(world)
        self._targets_m = {"red": red_m, "blue": blue_m}
        drawn = COLOURS[int(world.integers(len(COLOURS)))]
        self._wanted = drawn if target is None else target
        self._open_frac = 1.0
        templates = TEMPLATES[self._instructions]
        self.instruction = templates[int(words.integers(len(templates)))].format(self._wanted)
        return {"privileged": self._privileged()}

    def _tick(
        self, action: NDArray[np.float32]
    ) -> tuple[float, NDArray[np.float32], bool, dict[str, Any]]:
        sent = np.clip(action, self.action_space.low, self.action_space.high)
        native = sent if self.interface.action_mode == "native" else self._towards(sent)
        self._hand_m, self._open_frac = self._after(native)
        away_m = float(np.linalg.norm(self._hand_m - self._targets_m[self._wanted]))
        return -away_m, sent, away_m <= SUCCESS_M, {"privileged": self._privileged()}

    def observe(self) -> Observation:
        """Draws both views and reads the hand; see ``ManipulationEnv``."""
        pictures = {
            f"image_{camera.name}": self._draw(camera.name, camera.height, camera.width)
            for camera in self.interface.cameras
        }
        native = self.interface.action_mode == "native"
        state = (
            np.append(self._hand_m, self._open_frac).astype(np.float32)
            if native
            else pose.pack(self._hand_m, _DOWN, self._open_frac)
        )
        return {**pictures, "state": state, "instruction": self.instruction}

    def expert_action(self) -> NDArray[np.float32]:
        """The straight way to the wanted target with an open gripper, shape (A,)."""
        motion = (self._targets_m[self._wanted] - self._hand_m) / STEP_M
        native = np.clip([*motion, -1.0], -1.0, 1.0).astype(np.float32)
        if self.interface.action_mode == "native":
            return native
        hand_m, open_frac = self._after(native)
        return pose.pack(hand_m, _DOWN, open_frac)

    def render(self) -> NDArray[np.uint8]:
        """Draws the scene for people, from the top and from the front, shape (H, 2 W, 3)."""
        camera = self._render_camera
        return np.hstack([self._draw(view, camera.height, camera.width) for view in VIEWS])

    def _after(self, native: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
        """Where a native action takes hand and gripper."""
        hand_m = np.clip(self._hand_m + STEP_M * native[:3], _LOW, _HIGH)
        open_frac = np.clip(self._open_frac - GRIPPER_STEP_FRAC * native[3], 0.0, 1.0)
        return hand_m, float(open_frac)

    def _towards(self, ee: NDArray[np.float32]) -> NDArray[np.float32]:
        """The native action that takes hand and gripper to a pose, or one step nearer."""
        motion = (ee[:3] - self._hand_m) / STEP_M
        closing = (self._open_frac - ee[9]) / GRIPPER_STEP_FRAC
        return np.clip([*motion, closing], -1.0, 1.0).astype(np.float32)

    def _draw(self, name: str, height: int, width: int) -> NDArray[np.uint8]:
        look = self.profile
        apart_m = (look.finger_radius_m + 0.03 * self._open_frac) * np.array([1.0, 0.0, 0.0])
        fingers = [self._hand_m - apart_m, self._hand_m + apart_m]
        balls = [
            *((finger_m, look.finger_radius_m, look.hand) for finger_m in fingers),
            (self._targets_m["red"], look.target_radius_m, look.red),
            (self._targets_m["blue"], look.target_radius_m, look.blue),
        ]
        background = look.floor if name == "top" else look.wall
        return draw(
            [Ball(centre_m=at_m - _LOW, radius_m=r_m, colour=rgb) for at_m, r_m, rgb in balls],
            VIEWS[name],
            background,
            height,
            width,
        )

    def _privileged(self) -> NDArray[np.float64]:
        targets_m = (*self._targets_m.values(), self._targets_m[self._wanted])
        return np.concatenate([self._hand_m, [self._open_frac], *targets_m])


def _scattered(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draws three places well apart from each other [m], shape (3 places, 3)."""
    while True:
        places_m = rng.uniform(_LOW + _MARGIN_M, _HIGH - _MARGIN_M, (3, 3))
        away_m = np.linalg.norm(places_m - np.roll(places_m, 1, axis=0), axis=1)
        if away_m.min() > _APART_M:
            return places_m


def _interface(cameras: tuple[Camera, ...], action_mode: ActionMode) -> Interface:
    native = action_mode == "native"
    return Interface(
        cameras=cameras,
        state=("hand_x_m", "hand_y_m", "hand_z_m", "gripper_open_frac")
        if native
        else pose.EE_NAMES,
        state_low=(*_CUBE_LOW, 0.0) if native else _EE_LOW,
        state_high=(*_CUBE_HIGH, 1.0) if native else _EE_HIGH,
        action=("hand_dx_frac", "hand_dy_frac", "hand_dz_frac", "gripper_close_frac")
        if native
        else pose.EE_NAMES,
        action_low=(-1.0,) * 4 if native else _EE_LOW,
        action_high=(1.0,) * 4 if native else _EE_HIGH,
        control_hz=CONTROL_HZ,
        action_mode=action_mode,
    )
