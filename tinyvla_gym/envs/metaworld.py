"""MetaWorld's fifty tasks behind the package's interface."""

import warnings
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from metaworld.policies import ENV_POLICY_MAP
from numpy.typing import NDArray

from tinyvla_gym import pose
from tinyvla_gym.envs.cameras import CameraSize, sized_camera, viewpoint
from tinyvla_gym.envs.env import ManipulationEnv
from tinyvla_gym.envs.profiles import profile_named
from tinyvla_gym.envs.randomization import Randomization, draw_scenery, randomization
from tinyvla_gym.envs.registration import METAWORLD_TASKS
from tinyvla_gym.envs.rendering import shared_renderer
from tinyvla_gym.envs.sawyer.goals import GOAL_SPACES
from tinyvla_gym.envs.sawyer.simulator import make_simulator
from tinyvla_gym.envs.scenery import PLAIN
from tinyvla_gym.envs.sentences import SentenceSet, draw_sentence, sentences
from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.interface import ActionMode, Camera, Interface, Observation

CONTROL_HZ = 80.0  # five physics steps of 2.5 ms
HORIZON = 500
CAMERAS = {"corner4_close": 96, "corner_close": 64, "gripperPOV": 64}
STEP_M = 0.01  # what a native action of 1 moves the hand's target by

PROGRESS_JOINTS = {  # task: joint, its position at the start and at the goal [m]
    "drawer-open": ("goal_slidey", 0.0, -0.15),
    "drawer-close": ("goal_slidey", -0.15, 0.0),
    "window-open": ("window_slide", 0.0, 0.2),
    "window-close": ("window_slide", 0.2, 0.0),
}
WINDOW_PLACES_M = (  # where window-open and where window-close put the window, lowest and highest
    ((-0.1, 0.7, 0.16), (0.1, 0.9, 0.16)),
    ((0.0, 0.75, 0.2), (0.0, 0.9, 0.2)),
)

# The tool's z axis points along the fingers, as on other arms; the hand body's x axis does.
_TOOL_TO_HAND = np.array([[0.0, 0.0, 1.0], [0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])

_HAND_LOW, _HAND_HIGH = (-0.525, 0.348, -0.0525), (0.525, 1.025, 0.7)
_EE_LOW = (*_HAND_LOW, *(-1.0,) * 6, 0.0)
_EE_HIGH = (*_HAND_HIGH, *(1.0,) * 6, 1.0)


class MetaWorldEnv(ManipulationEnv):
    """One MetaWorld task with cameras, a sentence and real seeding.

    ``native`` actions are MetaWorld's own: the hand's target moves by up to 1 cm per tick along
    each axis, and the gripper pushes shut (+1) or open (-1). ``ee`` actions are absolute tool
    poses that the hand tracks by clipped proportional steps; the hand cannot turn, so the
    rotation is ignored. Other out-of-range actions are clipped, as MetaWorld does.

    ``reset`` knows three options: ``instruction``; ``progress`` in [0, 1), how far a drawer or
    window has already come; ``goal_marker=False``, which hides the goal's coloured ball;
    ``goal``, where the object and its goal begin, shape (3,) or (6,), in place of what the seed
    would draw: ``benchmark_goals(seed)`` has those of MetaWorld's own benchmarks. A window
    with progress stands where it may in either of the two window tasks, so that the place of a
    half-open one does not tell which way it should go.

    ``info["privileged"]`` is MetaWorld's own observation with the goal, float64, shape (39,).
    With ``randomize``, ``info["randomization"]`` says at reset what was drawn.
    """

    def __init__(
        self,
        *,
        task: str,
        cameras: Mapping[str, CameraSize] = CAMERAS,
        profile: str = "fast-1",
        action_mode: ActionMode = "native",
        instructions: SentenceSet = "default",
        horizon: int = HORIZON,
        terminate_on_success: bool = True,
        linger: int = 0,
        render_mode: str | None = "rgb_array",
        render_camera: str = "corner4",
        render_size: CameraSize = 480,
        randomize: Randomization | Mapping[str, Any] | str | None = None,
    ) -> None:
        """Builds the task.

        Args:
            task: MetaWorld's name without suffix: ``drawer-open``.
            cameras: Camera name to picture size [px], (height, width) or one number for both.
            profile: How pictures are drawn: ``fast-1``, ``fast-2``, ``shade-1``, or ``parity-1``
                as MetaWorld draws.
            action_mode: ``native`` or ``ee``; the state follows.
            instructions: Which sentences ``reset`` draws from.
            horizon: Control ticks after which the episode is truncated.
            terminate_on_success: Whether success ends the episode.
            linger: Control ticks to play on after the first success before it does.
            render_mode: ``rgb_array``; ``render()`` is for people, policies have cameras.
            render_camera: The camera of ``render()``.
            render_size: Size of ``render()`` [px], (height, width) or one number for both.
            randomize: Which looks are drawn anew for each episode: a ``Randomization``, a mapping
                of its fields, or ``light``, ``table``, ``camera``, ``distractors`` or ``all``.

        Raises:
            UnknownNameError: If the task, a camera, the profile or a mode does not exist.
            ConfigError: If a size or the horizon is not positive.
        """
        if task not in METAWORLD_TASKS:
            raise UnknownNameError("MetaWorld task", task, METAWORLD_TASKS)
        if action_mode not in ("native", "ee"):
            raise UnknownNameError("action mode", action_mode, ("native", "ee"))
        if render_mode not in (None, "rgb_array"):
            raise UnknownNameError("render mode", render_mode, ("rgb_array",))
        for name in (*cameras, render_camera):
            viewpoint(name)
        self._render_camera = sized_camera(render_camera, render_size)
        sentences(task, instructions)
        super().__init__(
            _interface(tuple(sized_camera(*item) for item in cameras.items()), action_mode),
            name=f"MetaWorld-{task}",
            horizon=horizon,
            terminate_on_success=terminate_on_success,
            linger=linger,
        )
        self._state_low = np.asarray(self.interface.state_low, np.float32)
        self._state_high = np.asarray(self.interface.state_high, np.float32)
        self.task = task
        self.profile = profile_named(profile)
        self.randomization = randomization(randomize)
        self.render_mode = render_mode
        self.can_progress = task in PROGRESS_JOINTS
        self._instructions: SentenceSet = instructions
        self._goal_marker = True
        self._scenery = PLAIN
        self._sim = make_simulator(task)
        self._places = self._sim._random_reset_space
        self._action_low, self._action_high = self.action_space.low, self.action_space.high
        self._expert = ENV_POLICY_MAP[f"{task}-v3"]()

    def _begin(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        progress = _checked_progress(self.task, options.pop("progress", 0.0))
        goal_marker = bool(options.pop("goal_marker", True))
        goal = options.pop("goal", None)
        if options:
            raise ConfigError(f"{self.name} knows no reset option {sorted(options)}.")
        self._goal_marker = goal_marker
        world, words, places, looks = np.random.SeedSequence(seed).spawn(4)
        self._sim.seed(int(world.generate_state(1)[0]))
        self._sim.freeze_goal(None if goal is None else GOAL_SPACES[self.task].check(goal))
        self._sim._random_reset_space = self._places
        if progress and self.task.startswith("window"):
            pick = np.random.default_rng(places).integers(len(WINDOW_PLACES_M))
            self._sim._random_reset_space = Box(*np.array(WINDOW_PLACES_M[pick]), dtype=np.float64)
        self._sim.reset()
        if progress:
            joint, start, end = PROGRESS_JOINTS[self.task]
            self._sim.data.joint(joint).qpos = start + progress * (end - start)
        self._sim.locate()
        self.instruction = draw_sentence(
            self.task, self._instructions, np.random.default_rng(words)
        )
        now = self._sim._get_curr_obs_combined_no_goal()
        self._sim._prev_obs = now
        self._privileged = np.concatenate([now, now, self._sim._get_pos_goal()])
        return {"privileged": self._privileged.copy(), **self._draw_looks(looks)}

    def _draw_looks(self, seed: np.random.SeedSequence) -> dict[str, Any]:
        """Draws how the episode looks, and says so."""
        if self.randomization is None:
            return {}
        sim = self._sim
        path_m = np.linspace(sim._get_pos_objects()[:3], sim._target_pos, 5)
        self._scenery = draw_scenery(
            self.randomization,
            seed,
            sim.model,
            sim.data,
            cameras=[camera.name for camera in (*self.interface.cameras, self._render_camera)],
            keep_clear_m=[sim.get_endeff_pos(), *path_m],
        )
        return {"randomization": self._scenery.facts()}

    def _tick(
        self, action: NDArray[np.float32]
    ) -> tuple[float, NDArray[np.float32], bool, dict[str, Any]]:
        sent = np.minimum(np.maximum(action, self._action_low), self._action_high)
        native = sent if self.interface.action_mode == "native" else self._towards(sent)
        self._privileged, reward, _, _, info = self._sim.step(native)
        more = {"privileged": self._privileged.copy()}
        return float(reward), sent, bool(info["success"]), more

    def observe(self) -> Observation:
        """Draws every camera and reads the hand; see ``ManipulationEnv``."""
        pictures = {f"image_{camera.name}": self._draw(camera) for camera in self.interface.cameras}
        return {**pictures, "state": self._state(), "instruction": self.instruction}

    def expert_action(self) -> NDArray[np.float32]:
        """What MetaWorld's scripted policy would do now, shape (A,).

        In ``ee`` mode it is the pose that the native action asks for.
        """
        with warnings.catch_warnings():
            # It warns whenever it asks for more than 1, which we clip just below.
            warnings.filterwarnings("ignore", r"Constant\(s\) may be too high", UserWarning)
            native = self._expert.get_action(self._privileged.copy())
        native = np.clip(native, -1.0, 1.0).astype(np.float32)
        if self.interface.action_mode == "native":
            return native
        target_m = self._sim.data.mocap_pos[0] + STEP_M * native[:3] + self._hand_to_tcp_m()
        open_frac = (1.0 - native[3]) / 2.0
        return pose.pack(target_m, self._tcp_rotation(), open_frac)

    def render(self) -> NDArray[np.uint8]:
        """Draws the scene for people, shape (H, W, 3)."""
        return self._draw(self._render_camera)

    def _draw(self, camera: Camera) -> NDArray[np.uint8]:
        renderer = shared_renderer(self._sim.model_name, self._sim.model, self.profile)
        markers = () if self._goal_marker else self._sim._target_site_config
        hidden = [self._sim.model.site(name).id for name, _ in markers]
        return renderer.render(
            self._sim.data,
            self._scenery.seen_from(camera.name),
            camera.height,
            camera.width,
            hidden_sites=hidden,
            scenery=self._scenery,
        )

    def _state(self) -> NDArray[np.float32]:
        sim = self._sim
        if self.interface.action_mode == "native":
            state = np.array([*sim.get_endeff_pos(), sim.gripper_open_frac()], np.float32)
        else:
            state = pose.pack(sim.tcp_center, self._tcp_rotation(), sim.gripper_open_frac())
        return np.minimum(np.maximum(state, self._state_low), self._state_high)

    def _towards(self, ee: NDArray[np.float32]) -> NDArray[np.float32]:
        """The native action whose target takes the tool to a pose, or one step nearer."""
        target_m = ee[:3] - self._hand_to_tcp_m()
        motion = (target_m - self._sim.data.mocap_pos[0]) / STEP_M
        return np.clip([*motion, 1.0 - 2.0 * ee[9]], -1.0, 1.0).astype(np.float32)

    def _hand_to_tcp_m(self) -> NDArray[np.float64]:
        return self._sim.tcp_center - self._sim.get_endeff_pos()

    def _tcp_rotation(self) -> NDArray[np.float64]:
        return self._sim.data.body("hand").xmat.reshape(3, 3) @ _TOOL_TO_HAND


def _checked_progress(task: str, progress: float) -> float:
    if not (isinstance(progress, Real) and 0 <= progress < 1):
        raise ConfigError(f"progress must be in [0, 1), got {progress!r}.")
    if progress and task not in PROGRESS_JOINTS:
        raise ConfigError(f"Only {', '.join(PROGRESS_JOINTS)} start at a progress, not {task}.")
    return progress


def _interface(cameras: tuple[Camera, ...], action_mode: ActionMode) -> Interface:
    native = action_mode == "native"
    return Interface(
        cameras=cameras,
        state=("hand_x_m", "hand_y_m", "hand_z_m", "gripper_open_frac")
        if native
        else pose.EE_NAMES,
        state_low=(*_HAND_LOW, 0.0) if native else _EE_LOW,
        state_high=(*_HAND_HIGH, 1.0) if native else _EE_HIGH,
        action=("hand_dx_cm", "hand_dy_cm", "hand_dz_cm", "gripper_close_frac")
        if native
        else pose.EE_NAMES,
        action_low=(-1.0,) * 4 if native else _EE_LOW,
        action_high=(1.0,) * 4 if native else _EE_HIGH,
        control_hz=CONTROL_HZ,
        action_mode=action_mode,
    )
