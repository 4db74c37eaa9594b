"""Pictures of a MuJoCo scene, fast on a CPU and right with many envs in one process."""

# pyright: reportAttributeAccessIssue=false
# (mujoco ships no types)

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from tinyvla_gym.envs import graphics
from tinyvla_gym.envs.appearance import dressed
from tinyvla_gym.envs.cameras import Viewpoint
from tinyvla_gym.envs.profiles import RenderProfile
from tinyvla_gym.envs.scenery import (
    PLAIN,
    Scenery,
    add_distractor,
    change_light,
    cover_table,
)
from tinyvla_gym.envs.visibility import in_view

_HIDDEN_GROUP, _FLOOR_GROUP = 4, 5  # MuJoCo shows groups 0 to 2 unless told otherwise
_CULLING_MARGIN_M = 0.01  # decimation may push a vertex out of a geom's bounding sphere


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
        self._model = dressed(model, profile)
        self._size = (128, 128)  # (height, width) [px]; grows, since clearing a buffer takes time
        self._model.vis.global_.offheight, self._model.vis.global_.offwidth = self._size
        self._scene = mujoco.MjvScene(self._model, maxgeom=1000)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = profile.shadows
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = profile.reflections
        self._options = mujoco.MjvOption()
        self._perturbation = mujoco.MjvPerturb()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._selective = not profile.reflections
        if self._selective:
            # What cannot be seen may still be mirrored, or cast a shadow.
            self._set_floors_apart(model, hide_unseen=not profile.shadows)
        with graphics.drawing():
            self._context = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_150)
        graphics.close_at_exit(self._context.free)

    def _set_floors_apart(self, model: mujoco.MjModel, *, hide_unseen: bool) -> None:
        """Prepares drawing floors last, so that what hides them need not be painted twice."""
        group = self._model.geom_group
        floors = (model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE) & (group < 3)
        group[:] = np.where(floors, _FLOOR_GROUP, np.minimum(group, _HIDDEN_GROUP))
        radii_m = model.geom_rbound + _CULLING_MARGIN_M if hide_unseen else np.inf
        self._radii_m = np.where(floors, np.inf, radii_m)
        self._floor_options = mujoco.MjvOption()
        for groups in ("geom", "site", "joint", "tendon", "actuator", "flex", "skin"):
            getattr(self._floor_options, f"{groups}group")[:] = 0
        self._floor_options.geomgroup[_FLOOR_GROUP] = 1

    def render(
        self,
        data: mujoco.MjData,
        viewpoint: Viewpoint,
        height: int,
        width: int,
        *,
        hidden_sites: Sequence[int] = (),
        scenery: Scenery = PLAIN,
    ) -> NDArray[np.uint8]:
        """Draws one picture.

        Args:
            data: The state to draw, as the last ``mj_kinematics`` left it.
            viewpoint: From where.
            height: Picture height [px].
            width: Picture width [px].
            hidden_sites: Indices of markers to leave out.
            scenery: What looks different from the model.

        Returns:
            RGB, upright and unmirrored, a fresh array of shape (H, W, 3).
        """
        self._compose(data, viewpoint, width / height, hidden_sites, scenery)
        return self._draw(viewpoint, height, width)

    def segment(
        self, data: mujoco.MjData, viewpoint: Viewpoint, height: int, width: int
    ) -> NDArray[np.int32]:
        """Tells which of the model's geoms each pixel of a picture shows.

        Args:
            data: The state to draw, as the last ``mj_kinematics`` left it.
            viewpoint: From where.
            height: Picture height [px].
            width: Picture width [px].

        Returns:
            Indices of geoms, -1 for anything else, shape (H, W).
        """
        self._compose(data, viewpoint, width / height, (), PLAIN)
        flags = (mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR)
        with _restored(self._scene.flags):
            for flag in flags:
                self._scene.flags[flag] = 1
            numbers = self._draw(viewpoint, height, width).astype(np.int32) @ (1, 256, 65536)
        geom_of = np.full(self._scene.ngeom + 1, -1, np.int32)  # 0 is the background
        for geom in self._scene.geoms[: self._scene.ngeom]:
            if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                geom_of[geom.segid + 1] = geom.objid
        return geom_of[numbers]

    def _compose(
        self,
        data: mujoco.MjData,
        viewpoint: Viewpoint,
        aspect: float,
        hidden_sites: Sequence[int],
        scenery: Scenery,
    ) -> None:
        """Fills the scene. What is changed for it, in the model or the state, is changed back."""
        model = self._model
        looks = (model.site_rgba, model.geom_rgba, model.geom_matid, model.geom_group)
        with _restored(*looks, model.cam_fovy, data.cam_xpos, data.cam_xmat):
            model.site_rgba[list(hidden_sites), 3] = 0.0
            if scenery.table:
                cover_table(model, scenery.table)
            self._aim(data, viewpoint)
            if self._selective:
                self._update_what_is_seen(data, aspect)
            else:
                self._update(data)
        if scenery.light:
            change_light(self._scene, scenery.light)
        for thing in scenery.distractors:
            add_distractor(self._scene, thing)

    def _aim(self, data: mujoco.MjData, viewpoint: Viewpoint) -> None:
        index = self._model.camera(viewpoint.source).id
        self._camera.fixedcamid = index
        if viewpoint.fovy_deg is not None:
            self._model.cam_fovy[index] = viewpoint.fovy_deg
        if viewpoint.position_m is not None:
            data.cam_xpos[index] = viewpoint.position_m
        if viewpoint.offset_m is not None:
            data.cam_xpos[index] += viewpoint.offset_m
        if viewpoint.turn_deg is not None:
            turn = Rotation.from_rotvec(viewpoint.turn_deg, degrees=True).as_matrix()
            data.cam_xmat[index] = (data.cam_xmat[index].reshape(3, 3) @ turn).reshape(9)

    def _update_what_is_seen(self, data: mujoco.MjData, aspect: float) -> None:
        index = self._camera.fixedcamid
        seen = in_view(
            data.geom_xpos,
            self._radii_m,
            camera_m=data.cam_xpos[index],
            rotation=data.cam_xmat[index].reshape(3, 3),
            fovy_deg=float(self._model.cam_fovy[index]),
            aspect=aspect,
        )
        self._model.geom_group[~seen] = _HIDDEN_GROUP
        self._update(data)
        mujoco.mjv_addGeoms(
            self._model,
            data,
            self._floor_options,
            self._perturbation,
            mujoco.mjtCatBit.mjCAT_ALL,
            self._scene,
        )

    def _update(self, data: mujoco.MjData) -> None:
        mujoco.mjv_updateScene(
            self._model,
            data,
            self._options,
            self._perturbation,
            self._camera,
            mujoco.mjtCatBit.mjCAT_ALL,
            self._scene,
        )

    def _draw(self, viewpoint: Viewpoint, height: int, width: int) -> NDArray[np.uint8]:
        area = mujoco.MjrRect(0, 0, width, height)
        bottom_up = np.empty((height, width, 3), np.uint8)
        with graphics.drawing():
            self._reserve(height, width)
            # The last picture may have been another renderer's: draw into our buffer.
            mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
            mujoco.mjr_render(area, self._scene, self._context)
            mujoco.mjr_readPixels(bottom_up, None, area, self._context)
        upright = bottom_up[:, ::-1] if viewpoint.upside_down else bottom_up[::-1]
        return np.ascontiguousarray(upright)

    def _reserve(self, height: int, width: int) -> None:
        if height > self._size[0] or width > self._size[1]:
            self._size = (max(height, self._size[0]), max(width, self._size[1]))
            mujoco.mjr_resizeOffscreen(self._size[1], self._size[0], self._context)


@contextmanager
def _restored(*arrays: NDArray) -> Iterator[None]:
    """Gives arrays back, after a block, the values that they had before it."""
    before = [array.copy() for array in arrays]
    try:
        yield
    finally:
        for array, values in zip(arrays, before, strict=True):
            array[:] = values


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
