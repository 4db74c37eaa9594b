"""Tests for video.py."""

import imageio.v3 as iio
import numpy as np
import pytest
from fakes import INTERFACE, CountingPolicy, ScriptedEnv
from PIL import Image

from tinyvla_gym.chunking import ExpertAgent, RecedingHorizon
from tinyvla_gym.errors import ConfigError, OutputError, UnknownNameError
from tinyvla_gym.loop import rollout
from tinyvla_gym.video import VideoListener, captioned, side_by_side

MARK = (-20, 14)  # a pixel of the square that tells of a new plan


def film_of(path):
    return iio.imread(path, plugin="pyav")  # (T, H, W, 3)


def is_green(pixels):
    return (pixels[..., 1] > 150) & (pixels[..., 0] < 110)


def test_an_episode_becomes_a_film_in_real_time(tmp_path) -> None:
    film = VideoListener(tmp_path, interface=INTERFACE)

    rollout(ScriptedEnv(horizon=9), RecedingHorizon(CountingPolicy()), seed=4, listeners=[film])

    [path] = tmp_path.iterdir()
    facts = iio.immeta(path, plugin="pyav")
    assert path.name == "episode_000004.mp4"
    assert facts["codec"] == "h264"
    assert facts["video_format"] == "yuv420p"
    assert facts["fps"] == 10  # every second of 20 ticks per second
    assert len(film_of(path)) == 1 + 4 + 1 + 6  # reset, ticks 2 to 8, the last, 0.6 s of it


def test_the_film_shows_the_cameras_side_by_side(tmp_path) -> None:
    film = VideoListener(tmp_path / "film.mp4", interface=INTERFACE, height_px=240)

    rollout(ScriptedEnv(horizon=1), RecedingHorizon(CountingPolicy()), seed=4, listeners=[film])

    frames = film_of(tmp_path / "film.mp4")
    assert film.needs_images
    assert frames.shape[2] == 320 + 240  # 12 x 16 and 8 x 8 pixels at one height
    np.testing.assert_allclose(frames[0, 120, [160, 440]], [[127] * 3, [128] * 3], atol=4)


def test_success_turns_the_border_green(tmp_path) -> None:
    env = ScriptedEnv()
    film = VideoListener(tmp_path / "film.mp4", interface=INTERFACE, frame=env.render, every=1)

    outcome = rollout(env, ExpertAgent(env), seed=4, listeners=[film])

    edge = film_of(tmp_path / "film.mp4")[:, 2, 120:200]  # the picture is centred on the strip
    assert outcome.success
    assert list(is_green(edge).all(axis=1)) == [False] * outcome.steps + [True] * 13


def test_filming_the_scene_needs_no_observations(tmp_path) -> None:
    env = ScriptedEnv(horizon=8)
    film = VideoListener(tmp_path, interface=INTERFACE, frame=env.render)

    rollout(env, RecedingHorizon(CountingPolicy(horizon=8)), seed=4, listeners=[film])

    assert env.looks == 2
    assert not film.needs_images


def test_new_plans_are_marked(tmp_path) -> None:
    film = VideoListener(tmp_path / "film.mp4", interface=INTERFACE, every=2, fps=10)
    agent = RecedingHorizon(CountingPolicy(horizon=5))

    rollout(ScriptedEnv(horizon=12), agent, seed=4, listeners=[film])

    lit = film_of(tmp_path / "film.mp4")[:7, *MARK, 0] > 150
    # Plans at ticks 1, 6 and 11; the first and the last are told by the next picture.
    assert list(lit) == [False, True, False, True, False, False, True]


def test_a_broken_episode_leaves_no_film(tmp_path) -> None:
    env = ScriptedEnv()
    film = VideoListener(tmp_path, interface=INTERFACE)

    class Breaking(CountingPolicy):
        def plan_batch(self, observations, *, noise=None):
            assert list(tmp_path.iterdir())  # the film is being written
            raise RuntimeError("out of order")

    with pytest.raises(RuntimeError, match="out of order"):
        rollout(env, RecedingHorizon(Breaking()), seed=4, listeners=[film])

    assert list(tmp_path.iterdir()) == []


def test_a_later_episode_replaces_a_single_film_only_once_it_has_ended(tmp_path) -> None:
    film = VideoListener(tmp_path / "film.mp4", interface=INTERFACE)
    agent = RecedingHorizon(CountingPolicy())
    rollout(ScriptedEnv(horizon=2), agent, seed=4, listeners=[film])
    first = (tmp_path / "film.mp4").read_bytes()

    observation, info = ScriptedEnv().reset(seed=5)
    film.on_reset(observation, info)
    assert (tmp_path / "film.mp4").read_bytes() == first
    film.on_end(None)
    outcome = rollout(ScriptedEnv(horizon=8), agent, seed=6, listeners=[film])

    assert outcome.steps == 8
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]
    assert len(film_of(tmp_path / "film.mp4")) == 1 + 4 + 6


def test_a_place_that_cannot_be_written_to_is_named(tmp_path) -> None:
    (tmp_path / "taken").write_text("a file")
    film = VideoListener(tmp_path / "taken" / "films", interface=INTERFACE)

    with pytest.raises(OutputError, match="taken"):
        rollout(ScriptedEnv(), RecedingHorizon(CountingPolicy()), seed=4, listeners=[film])


def test_settings_that_make_no_film_are_refused(tmp_path) -> None:
    with pytest.raises(UnknownNameError, match=r"no camera 'wirst'\. Did you mean 'wrist'"):
        VideoListener(tmp_path, interface=INTERFACE, camera="wirst")
    with pytest.raises(ConfigError, match="not both"):
        VideoListener(tmp_path, interface=INTERFACE, camera="wrist", frame=ScriptedEnv().render)
    for wrong in ({"every": 0}, {"every": 0, "fps": 5}, {"fps": 0}, {"height_px": 0}):
        with pytest.raises(ConfigError, match="every >= 1, fps > 0 and height_px >= 1"):
            VideoListener(tmp_path, interface=INTERFACE, **wrong)


def test_one_camera_alone(tmp_path) -> None:
    picture = side_by_side([np.zeros((8, 8, 3), np.uint8)], 100)

    assert picture.size == (100, 100)


@pytest.mark.parametrize("words", [0, 3, 60])
def test_captions_have_even_sides_and_grow_with_the_sentence(words) -> None:
    sheet = captioned(
        Image.new("RGB", (333, 111)), "word " * words, facts="step 1", praise="", marked=False
    )

    height, width, _ = sheet.shape
    assert (height % 2, width) == (0, 334)
    assert (height > 200) == (words == 60)
