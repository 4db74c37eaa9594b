"""Pictures: right, equal to MetaWorld's where promised, and the same in whatever company."""

import json
import subprocess
import sys
from pathlib import Path

import mujoco
import numpy as np
import pytest

from tinyvla_gym.envs.cameras import VIEWPOINTS, sized_camera
from tinyvla_gym.envs.metaworld import MetaWorldEnv
from tinyvla_gym.envs.profiles import profile_named
from tinyvla_gym.envs.rendering import Renderer, shared_renderer
from tinyvla_gym.look import Look

GOLDEN = Path(__file__).parents[1] / "golden"
PARITY_TASKS = ("drawer-open", "push")
PARITY_CAMERAS = ("corner4", "topview", "gripperPOV")
SIDE_CAMERAS = [name for name in VIEWPOINTS if name not in ("topview", "gripperPOV")]
CAMERAS_WITH_SKY = [name for name in SIDE_CAMERAS if name != "corner3"]

REFERENCE = """
import os, sys
os.environ["MUJOCO_GL"] = "egl"
import numpy as np
from gymnasium.envs.mujoco.mujoco_rendering import MujocoRenderer
from tinyvla_gym.envs.metaworld import MetaWorldEnv

pictures = {}
for task in sys.argv[1].split():
    env = MetaWorldEnv(task=task, cameras={})
    env.reset(seed=3)
    for _ in range(15):
        env.advance(env.expert_action())
    viewer = MujocoRenderer(env._sim.model, env._sim.data, width=84, height=84, camera_id=0)
    for camera in sys.argv[2].split():
        viewer.camera_id = env._sim.model.camera(camera).id
        pictures[f"{task} {camera}"] = viewer.render("rgb_array").copy()
    viewer.close()
np.savez(sys.argv[3], **pictures)
"""


def run(script, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return np.load(arguments[-1])


def a_scene(task, cameras, seed=3, ticks=15, **settings):
    env = MetaWorldEnv(task=task, cameras=cameras, **settings)
    env.reset(seed=seed)
    for _ in range(ticks):
        env.advance(env.expert_action())
    return env


def camera_pose(env, name):
    """Position [m], rotation (camera to world) and field of view [deg] of one of our cameras."""
    place, sim = VIEWPOINTS[name], env._sim
    index = sim.model.camera(place.source).id
    position_m = sim.data.cam_xpos[index] if place.position_m is None else place.position_m
    fovy_deg = sim.model.cam_fovy[index] if place.fovy_deg is None else place.fovy_deg
    return np.array(position_m), sim.data.cam_xmat[index].reshape(3, 3), fovy_deg


def project(env, point_m, name, height, width):
    """Column and row at which a camera of the interface shows a point of the world [px]."""
    position_m, rotation, fovy_deg = camera_pose(env, name)
    x, y, z = rotation.T @ (np.asarray(point_m) - position_m)
    focal_px = height / 2 / np.tan(np.radians(fovy_deg) / 2)
    column, row = width / 2 - focal_px * x / z, height / 2 + focal_px * y / z
    return (width - column, height - row) if VIEWPOINTS[name].upside_down else (column, row)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    place = tmp_path_factory.mktemp("parity") / "pictures.npz"
    return run(REFERENCE, " ".join(PARITY_TASKS), " ".join(PARITY_CAMERAS), place)


@pytest.mark.parametrize("task", PARITY_TASKS)
@pytest.mark.parametrize("camera", PARITY_CAMERAS)
def test_parity_1_is_bit_equal_to_metaworlds_own_pictures(reference, task, camera) -> None:
    theirs = reference[f"{task} {camera}"]
    upright = theirs[::-1, ::-1] if VIEWPOINTS[camera].upside_down else theirs

    ours = a_scene(task, {camera: 84}, profile="parity-1").observe()[f"image_{camera}"]

    np.testing.assert_array_equal(ours, upright)


@pytest.mark.parametrize("task", ["drawer-open", "coffee-pull"])
def test_fast_1_looks_like_parity_1(task: str) -> None:
    cameras = {"corner4": 84, "corner": 84}

    fast, parity = (a_scene(task, cameras, profile=p).observe() for p in ("fast-1", "parity-1"))

    for name in ("image_corner4", "image_corner"):
        assert np.abs(np.subtract(fast[name], parity[name], dtype=float)).mean() <= 12


@pytest.mark.parametrize("task", ["push", "drawer-open"])
def test_shade_1_has_the_shadows_of_parity_1(task: str) -> None:
    camera, look = {"corner2_moved": 240}, Look(px=120)  # without the edges of triangles
    parity, shade, fast = (
        look.reduce(a_scene(task, camera, profile=p).observe()["image_corner2_moved"]).astype(int)
        for p in ("parity-1", "shade-1", "fast-2")
    )
    darker = (fast - parity).min(-1) > 8  # the arm's shadow on the table, mostly

    assert darker.mean() > 0.02
    assert np.abs(shade - parity).mean() < 0.6 * np.abs(fast - parity).mean()
    assert np.abs(shade - parity)[darker].mean() < 0.4 * np.abs(fast - parity)[darker].mean()


@pytest.mark.parametrize("profile", ["parity-1", "fast-1", "fast-2", "shade-1"])
def test_a_segmented_picture_names_the_geoms_that_are_seen(profile: str) -> None:
    env = a_scene("drawer-open", {}, profile=profile)
    model, data = env._sim.model, env._sim.data
    renderer = shared_renderer(env._sim.model_name, model, env.profile)
    drawer = [
        geom
        for geom in range(model.ngeom)
        if model.body(model.body_rootid[model.geom_bodyid[geom]]).name == "drawer"
    ]

    geoms = renderer.segment(data, VIEWPOINTS["corner4"], 60, 80)

    where = np.argwhere(np.isin(geoms, drawer)) + 0.5
    column, row = project(env, data.body("drawer_link").xpos, "corner4", 60, 80)
    assert geoms.shape == (60, 80)
    assert (geoms == -1).sum() > 500  # the sky
    np.testing.assert_allclose(where.mean(0), [row, column], atol=5)


@pytest.mark.parametrize("name", VIEWPOINTS)
def test_what_is_left_out_of_the_scene_would_not_be_seen(name: str) -> None:
    env = a_scene("plate-slide", {name: (60, 90)})
    picture = env.observe()[f"image_{name}"]
    renderer = shared_renderer(env._sim.model_name, env._sim.model, env.profile)
    whole = Renderer(env._sim.model, env.profile)
    whole._selective = False
    whole._model.geom_group[:] = env._sim.model.geom_group

    everything = whole.render(env._sim.data, VIEWPOINTS[name], 60, 90)

    assert renderer._scene.ngeom <= whole._scene.ngeom
    np.testing.assert_array_equal(picture, everything)


def test_drawing_touches_neither_the_state_nor_the_model() -> None:
    blind, seeing = (
        a_scene("drawer-open", cameras, ticks=0) for cameras in ({}, {"corner2_moved": 32})
    )
    model = blind._sim.model
    kept = {name: getattr(model, name).copy() for name in ("mesh_vert", "cam_fovy", "site_rgba")}

    for _ in range(30):
        action = blind.expert_action()
        *_, told = blind.advance(action)
        *_, shown = seeing.advance(action)
        seeing.observe()
        seeing.render()
        np.testing.assert_array_equal(told["privileged"], shown["privileged"])

    for field in ("qpos", "qvel", "qacc_warmstart", "cam_xpos", "site_xpos"):
        ours, theirs = getattr(seeing._sim.data, field), getattr(blind._sim.data, field)
        np.testing.assert_array_equal(ours, theirs)
    for name, values in kept.items():
        np.testing.assert_array_equal(getattr(seeing._sim.model, name), values)
    assert seeing._sim.model.vis.quality.shadowsize == model.vis.quality.shadowsize


@pytest.mark.parametrize("name", VIEWPOINTS)
def test_the_goal_appears_where_the_cameras_geometry_puts_it(name: str) -> None:
    height, width = 96, 128
    env = a_scene("push", {name: (height, width)}, seed=4, ticks=0)
    shown = env.observe()[f"image_{name}"]
    column, row = project(env, env._sim._get_pos_goal(), name, height, width)
    assert abs(width - 2 * column) > 4  # a mirrored picture would show it elsewhere

    hidden, _ = env.reset(seed=4, options={"goal_marker": False})

    marker = np.argwhere((shown != hidden[f"image_{name}"]).any(-1)) + 0.5
    np.testing.assert_allclose(marker.mean(0), [row, column], atol=1.0)


@pytest.mark.parametrize("name", VIEWPOINTS)
def test_pictures_are_upright(name: str) -> None:
    env = a_scene("push", {}, ticks=0)
    away_from_the_robot, up = (0, 0.05, 0), (0, 0, 0.05)
    middle_m = np.array([0, 0.75, 0.05])

    _, row = project(env, middle_m, name, 100, 100)
    moved_m = middle_m + (up if name in SIDE_CAMERAS else away_from_the_robot)
    _, higher_row = project(env, moved_m, name, 100, 100)

    assert higher_row < row


@pytest.mark.parametrize("name", CAMERAS_WITH_SKY)
def test_the_table_is_below_the_sky(name: str) -> None:
    picture = a_scene("push", {name: 96}, ticks=0).observe()[f"image_{name}"].astype(int)
    red, green, blue = picture[..., 0], picture[..., 1], picture[..., 2]
    wood = (red - blue > 20) & (red - blue < 70) & (green > 60)
    sky = (abs(red - blue) < 15) & (red > 110) & (red < 140)

    assert wood.sum() > 500
    assert sky.sum() > 500
    assert np.argwhere(wood)[:, 0].mean() > np.argwhere(sky)[:, 0].mean() + 20


def test_pictures_are_fresh_arrays_of_the_asked_size() -> None:
    env = a_scene("push", {"corner4": (20, 33)}, ticks=0)

    first, second = env.observe()["image_corner4"], env.observe()["image_corner4"]

    assert first.shape == (20, 33, 3)
    assert first.dtype == np.uint8
    assert first.flags.c_contiguous
    assert not np.shares_memory(first, second)
    np.testing.assert_array_equal(first, second)


def test_a_picture_larger_than_any_before_shows_the_same() -> None:
    env = a_scene("push", {}, ticks=0)
    small, large = (env._draw(sized_camera("corner4", size)) for size in (70, 700))

    shrunk = large.reshape(70, 10, 70, 10, 3).mean((1, 3))

    assert np.abs(shrunk - small).mean() < 8


def test_envs_of_one_model_and_profile_share_a_renderer() -> None:
    env = a_scene("push", {}, ticks=0)
    name, model = env._sim.model_name, env._sim.model
    fast, parity = profile_named("fast-1"), profile_named("parity-1")

    assert shared_renderer(name, model, fast) is shared_renderer(name, model, fast)
    assert shared_renderer(name, model, fast) is not shared_renderer(name, model, parity)


def test_a_renderer_serves_any_model_not_only_metaworlds() -> None:
    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><light pos='0 0 3'/><geom size='.3' rgba='1 0 0 1'/>"
        "<camera name='corner' pos='0 -2 0' euler='90 0 0'/></worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)

    place = VIEWPOINTS["corner"]
    picture = Renderer(model, profile_named("fast-1")).render(data, place, 32, 32)

    assert picture[16, 16, 0] > 2 * picture[16, 16, 1:].max()


@pytest.mark.parametrize("profile", ["fast-1", "fast-2"])
@pytest.mark.parametrize("task", ["drawer-open", "peg-insert-side", "window-close"])
def test_a_profile_draws_what_it_drew_when_it_was_released(profile: str, task: str) -> None:
    frozen = json.loads((GOLDEN / f"{profile}.json").read_text())
    for name, thumbnail in frozen[task].items():
        picture = a_scene(task, {name: 96}, profile=profile).observe()[f"image_{name}"]

        coarse = picture.reshape(8, 12, 8, 12, 3).mean((1, 3))
        np.testing.assert_allclose(coarse.ravel(), thumbnail, atol=2)
