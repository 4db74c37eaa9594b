"""What a profile changes, it changes in a copy, and only that."""

import mujoco
import numpy as np
import pytest

from tinyvla_gym.envs.appearance import dressed
from tinyvla_gym.envs.metaworld import MetaWorldEnv
from tinyvla_gym.envs.profiles import PROFILES

DRAWN = ("geom_type", "geom_size", "mat_rgba", "tex_data", "mesh_face", "mesh_facenum")


@pytest.fixture(scope="module")
def model():
    return MetaWorldEnv(task="push", cameras={})._sim.model


@pytest.mark.parametrize("name", PROFILES)
def test_the_model_itself_stays_as_it_is(model, name: str) -> None:
    before = {field: getattr(model, field).copy() for field in DRAWN}

    dressed(model, PROFILES[name])

    for field, values in before.items():
        np.testing.assert_array_equal(getattr(model, field), values)


def test_parity_1_draws_every_triangle_and_texture_as_it_is(model) -> None:
    copied = dressed(model, PROFILES["parity-1"])

    for field in DRAWN:
        np.testing.assert_array_equal(getattr(copied, field), getattr(model, field))


@pytest.mark.parametrize("name", ["fast-1", "fast-2"])
def test_fast_profiles_draw_a_fraction_of_the_triangles(model, name: str) -> None:
    copied = dressed(model, PROFILES[name])

    drawn = [m.mesh_facenum[m.geom_dataid[m.geom_group < 3]].sum() for m in (copied, model)]
    assert drawn[0] < drawn[1] / 5


def test_fast_2_brightens_textures_by_what_it_darkens_their_materials(model) -> None:
    copied = dressed(model, PROFILES["fast-2"])
    gain = PROFILES["fast-2"].texture_gain
    textured = (model.mat_texid >= 0).any(1)
    wood = model.mat_texid[model.material("table_wood").id].max()
    texels = slice(model.tex_adr[wood], model.tex_adr[wood] + 3 * 512 * 512)

    np.testing.assert_allclose(
        copied.mat_rgba[textured, :3] * gain, model.mat_rgba[textured, :3], rtol=1e-6
    )
    np.testing.assert_array_equal(copied.mat_rgba[~textured], model.mat_rgba[~textured])
    brighter = np.minimum(model.tex_data[texels] * gain, 255)
    np.testing.assert_allclose(copied.tex_data[texels], brighter, atol=1)


def test_fast_2_makes_boxes_of_finite_floors_only() -> None:
    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><geom type='plane' size='1 2 .1'/>"
        "<geom type='plane' size='0 0 .1'/></worldbody></mujoco>"
    )

    copied = dressed(model, PROFILES["fast-2"])

    assert copied.geom_type.tolist() == [mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_PLANE]
    assert copied.geom_size[0, 2] < 1e-3
