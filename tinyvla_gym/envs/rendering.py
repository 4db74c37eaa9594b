"""Pictures of a MuJoCo scene, fast on a CPU and right with many envs in one process."""

# pyright: reportAttributeAccessIssue=false
# (mujoco ships no types)

import copy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import mujoco
import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.envs import graphics
from tinyvla_gym.envs.cameras import Viewpoint
from tinyvla_gym.envs.meshes import decimate
from tinyvla_gym.errors import UnknownNameError


@dataclass(frozen=True, kw_only=True)
class RenderProfile:
    """How pictures are drawn. A released profile never changes: policies are trained under it.

    Attributes:
        name: Name and version, ``fast-1``.
        shadows: Cast shadows, the largest cost on a CPU.
        multisamples: Samples per pixel; 0 draws jagged edges.
        reflections: Mirror floors.
        face_share: Part of each large mesh's faces to keep; 1 keeps all.
        face_floor: No mesh is decimated below this many faces.
        weld_frac: Vertices closer than this part of a mesh's size are joined first.
    """

    name: str
    shadows: bool
    multisamples: int
    reflections: bool
    face_share: float
    face_floor: int
    weld_frac: float

    @cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits that change with every setting."""
        settings = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(settings.encode()).hexdigest()[:12]


PROFILES = {
    profile.name: profile
    for profile in (
        RenderProfile(  # bit-equal to Gymnasium's off-screen viewer
            name="parity-1",
            shadows=True,
            multisamples=4,
            reflections=True,
            face_share=1.0,
            face_floor=0,
            weld_frac=0.0,
        ),
        RenderProfile(
            name="fast-1",
            shadows=False,
            multisamples=0,
            reflections=False,
            face_share=0.10,
            face_floor=320,
            weld_frac=0.003,
        ),
    )
}


def profile_named(name: str) -> RenderProfile:
    """Looks a profile up.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    if name not in PROFILES:
        raise UnknownNameError("render profile", name, PROFILES)
    return PROFILES[name]


class Renderer:
    """Draws the scenes of one model. Any number of envs with that model may share it."""

    def __init__(self, model: mujoco.MjModel, profile: RenderProfile) -> None:
        """Uploads the model to the graphics card, or to its software stand-in.

        Args:
            model: The model whose states will be drawn; it is copied, never changed.
            profile: How to draw.

        Raises:
            GraphicsError: If there is no headless OpenGL.
        """
        graphics.make_current()
        self._model = copy.copy(model)
        self._size = (480, 480)  # (height, width) [px]
        self._model.vis.global_.offheight, self._model.vis.global_.offwidth = self._size
        self._model.vis.quality.offsamples = profile.multisamples
        if not profile.shadows:
            self._model.vis.quality.shadowsize = 0
        if profile.face_share < 1:
            decimate(
                self._model,
                share=profile.face_share,
                smallest=profile.face_floor,
                weld_frac=profile.weld_frac,
            )
        self._scene = mujoco.MjvScene(self._model, maxgeom=1000)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = profile.shadows
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = profile.reflections
        self._options = mujoco.MjvOption()
        self._perturbation = mujoco.MjvPerturb()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._context = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_150)
        graphics.close_at_exit(self._context.free)

    def render(
        self,
        data: mujoco.MjData,
        viewpoint: Viewpoint,
        height: int,
        width: int,
        *,
        hidden_sites: Sequence[int] = (),
    ) -> NDArray[np.uint8]:
        """Draws one picture.

        Args:
            data: The state to draw, as the last ``mj_kinematics`` left it.
            viewpoint: From where.
            height: Picture height [px].
            width: Picture width [px].
            hidden_sites: Indices of markers to leave out.

        Returns:
            RGB, upright and unmirrored, a fresh array of shape (H, W, 3).
        """
        graphics.make_current()
        self._reserve(height, width)
        opacity = self._model.site_rgba[:, 3].copy()
        self._model.site_rgba[list(hidden_sites), 3] = 0.0
        self._place_scene(data, viewpoint)
        self._model.site_rgba[:, 3] = opacity
        area = mujoco.MjrRect(0, 0, width, height)
        # The last picture may have been another renderer's: draw into our buffer, not into its.
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        mujoco.mjr_render(area, self._scene, self._context)
        bottom_up = np.empty((height, width, 3), np.uint8)
        mujoco.mjr_readPixels(bottom_up, None, area, self._context)
        upright = bottom_up[:, ::-1] if viewpoint.upside_down else bottom_up[::-1]
        return np.ascontiguousarray(upright)

    def _reserve(self, height: int, width: int) -> None:
        if height > self._size[0] or width > self._size[1]:
            self._size = (max(height, self._size[0]), max(width, self._size[1]))
            mujoco.mjr_resizeOffscreen(self._size[1], self._size[0], self._context)

    def _place_scene(self, data: mujoco.MjData, viewpoint: Viewpoint) -> None:
        index = self._model.camera(viewpoint.source).id
        self._camera.fixedcamid = index
        fovy, position = self._model.cam_fovy[index], data.cam_xpos[index].copy()
        if viewpoint.fovy_deg is not None:
            self._model.cam_fovy[index] = viewpoint.fovy_deg
        if viewpoint.position_m is not None:
            data.cam_xpos[index] = viewpoint.position_m
        mujoco.mjv_updateScene(
            self._model,
            data,
            self._options,
            self._perturbation,
            self._camera,
            mujoco.mjtCatBit.mjCAT_ALL,
            self._scene,
        )
        self._model.cam_fovy[index] = fovy
        data.cam_xpos[index] = position


_renderers: dict[tuple[str, str], Renderer] = {}


def shared_renderer(key: str, model: mujoco.MjModel, profile: RenderProfile) -> Renderer:
    """Returns this process's one renderer for a model and a profile.

    Args:
        key: Names the model; equal keys must mean equal models.
        model: The model, uploaded at the first call for ``key``.
        profile: How to draw.

    Raises:
        GraphicsError: If there is no headless OpenGL.
    """
    if (key, profile.hash) not in _renderers:
        _renderers[key, profile.hash] = Renderer(model, profile)
    return _renderers[key, profile.hash]
