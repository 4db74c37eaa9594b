import metaworld.env_dict
import pytest

from tinyvla_gym.envs.cameras import VIEWPOINTS, sized_camera, viewpoint
from tinyvla_gym.errors import ConfigError, UnknownNameError


def test_every_viewpoint_stands_on_a_camera_that_metaworld_has() -> None:
    sim = metaworld.env_dict.ALL_V3_ENVIRONMENTS["reach-v3"]()
    cameras = {sim.model.camera(index).name for index in range(sim.model.ncam)}

    assert {place.source for place in VIEWPOINTS.values()} == cameras


def test_every_camera_of_metaworld_is_there_under_its_own_name_unchanged() -> None:
    for source in {place.source for place in VIEWPOINTS.values()}:
        assert viewpoint(source).source == source
        assert viewpoint(source).position_m is None
        assert viewpoint(source).fovy_deg is None


def test_corner4_stands_where_the_literature_moved_corner2_to() -> None:
    sim = metaworld.env_dict.ALL_V3_ENVIRONMENTS["reach-v3"]()

    assert tuple(sim.model.camera("corner4").pos) == viewpoint("corner2_moved").position_m


def test_an_unknown_camera_is_named_with_the_nearest_known_one() -> None:
    with pytest.raises(UnknownNameError, match="no camera 'corner4_closed'"):
        viewpoint("corner4_closed")


@pytest.mark.parametrize("size", [(24, 32), [24, 32]])
def test_a_size_is_height_and_width(size) -> None:
    camera = sized_camera("front", size)

    assert (camera.name, camera.height, camera.width) == ("front", 24, 32)


def test_one_number_is_both() -> None:
    camera = sized_camera("front", 24)

    assert (camera.height, camera.width) == (24, 24)


@pytest.mark.parametrize("size", [24.0, "24", "ab", (24,), (24, 32, 3), (24.5, 32), None])
def test_a_size_that_is_none_is_refused(size) -> None:
    with pytest.raises(ConfigError, match="Camera front needs a size in pixels"):
        sized_camera("front", size)


@pytest.mark.parametrize("size", [0, -1, (24, 0)])
def test_a_size_without_pixels_is_refused(size) -> None:
    with pytest.raises(ConfigError, match="positive size"):
        sized_camera("front", size)
