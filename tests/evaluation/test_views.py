"""Tests for evaluation/views.py."""

import numpy as np
import pytest

from tinyvla_gym.chunking import RecedingHorizon
from tinyvla_gym.contracts import check_env
from tinyvla_gym.envs.make import make_env
from tinyvla_gym.errors import ConfigError, InterfaceMismatchError
from tinyvla_gym.evaluation.protocols import Protocol, named_protocol
from tinyvla_gym.evaluation.views import ProtocolView, middle, needs_view, resized
from tinyvla_gym.loop import rollout
from tinyvla_gym.policies.simple import ZeroPolicy

CAMERAS = {"corner2": 48}


def push(**options):
    return make_env("TinyVLA/MetaWorld-push-v3", cameras=CAMERAS, **options)


def viewed(env, **settings) -> ProtocolView:
    return ProtocolView(env, Protocol(suite="mt1:push", **settings))


def test_only_what_departs_needs_a_view() -> None:
    names = ("native", "lerobot", "evo1", "rlinf")

    needed = [needs_view(named_protocol(name, suite="mt50")) for name in names]

    assert needed == [False, False, True, True]


def test_the_middle_is_kept_and_resized() -> None:
    env = push()
    plain, _ = env.reset(seed=1)

    seen, _ = viewed(env, crop_frac=2 / 3, picture_px=20).reset(seed=1)

    expected = resized(plain["image_corner2"][8:40, 8:40], 20)
    np.testing.assert_array_equal(seen["image_corner2"], expected)


def test_a_cropped_picture_of_480_has_320_pixels() -> None:
    picture = np.arange(480 * 480 * 3, dtype=np.uint32).reshape(480, 480, 3).astype(np.uint8)

    np.testing.assert_array_equal(middle(picture, 2 / 3), picture[80:400, 80:400])


def test_resizing_keeps_a_ramp_a_ramp_and_a_constant_constant() -> None:
    ramp = np.tile(np.arange(0, 200, 10, dtype=np.uint8)[:, None, None], (1, 20, 3))

    larger = resized(ramp, 40)

    assert larger.shape == (40, 40, 3)
    # Pixel centres: row r of the answer lies at (r + 1/2) / 2 - 1/2 of the ramp.
    wanted = np.clip(10 * ((np.arange(40) + 0.5) / 2 - 0.5), 0, 190)
    np.testing.assert_allclose(larger[:, 7, 1], wanted, atol=0.51)
    assert (resized(np.full((5, 5, 3), 77, np.uint8), 9) == 77).all()


def test_resizing_is_what_pillow_does_when_it_enlarges() -> None:
    from PIL import Image

    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)

    theirs = Image.fromarray(picture).resize((45, 45), Image.Resampling.BILINEAR)

    difference = resized(picture, 45).astype(int) - np.asarray(theirs).astype(int)
    assert np.abs(difference).max() <= 1


def test_more_state_is_metaworlds_own_numbers() -> None:
    env = viewed(push(), state_entries=8)

    observation, info = env.reset(seed=2)
    after, *_, ticked = env.step(np.float32([1, 0, 0, 0]))

    np.testing.assert_allclose(observation["state"], info["privileged"][:8], rtol=1e-6)
    np.testing.assert_allclose(after["state"], ticked["privileged"][:8], rtol=1e-6)
    assert env.interface.state[4] == "object_x_m"


def test_the_scene_settles_before_the_first_look() -> None:
    still = np.zeros(4, np.float32)
    plain = push()
    plain.reset(seed=3)
    for _ in range(5):
        expected, *_ = plain.step(still)

    seen, _ = viewed(push(), settle=5).reset(seed=3)

    np.testing.assert_array_equal(seen["image_corner2"], expected["image_corner2"])
    np.testing.assert_array_equal(seen["state"], expected["state"])


def test_a_view_keeps_the_contract() -> None:
    env = viewed(push(), crop_frac=0.5, picture_px=16, state_entries=8, settle=2)

    check_env(env)


def test_a_policy_must_fit_what_is_shown() -> None:
    env = viewed(push(), state_entries=8)
    policy = ZeroPolicy(env.unwrapped.interface)

    with pytest.raises(InterfaceMismatchError, match="state"):
        rollout(env, RecedingHorizon(policy), seed=1)

    short = viewed(push(horizon=3), state_entries=8)
    assert rollout(short, RecedingHorizon(ZeroPolicy(short.interface)), seed=1).steps == 3


def test_metaworld_has_no_ninth_entry() -> None:
    with pytest.raises(ConfigError, match="1 to 8 entries, not 9"):
        viewed(push(), state_entries=9)
