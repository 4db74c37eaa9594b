"""Tests for policies/tinyvla/nano.py."""

import pytest
import torch
from fakes import INTERFACE
from tiny_models import a_model

from tinyvla_gym.interface import Camera, Interface
from tinyvla_gym.look import Look
from tinyvla_gym.policies.tinyvla.config import build
from tinyvla_gym.policies.tinyvla.nano import NanoBackbone, soft_arg_max
from tinyvla_gym.training.presets import preset

METAWORLD = Interface(  # as tests/envs/test_metaworld.py knows it
    cameras=tuple(Camera(name=name, height=168, width=168) for name in ("one", "two")),
    state=("hand_x_m", "hand_y_m", "hand_z_m", "gripper_open_frac"),
    state_low=(-1.0,) * 4,
    state_high=(1.0,) * 4,
    action=("hand_dx_cm", "hand_dy_cm", "hand_dz_cm", "gripper_close_frac"),
    action_low=(-1.0,) * 4,
    action_high=(1.0,) * 4,
    control_hz=20.0,
    action_mode="native",
)


def pictures(batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randint(
            256, (batch, one.height, one.width, 3), dtype=torch.uint8, generator=generator
        )
        for one in INTERFACE.cameras
    ]


def bright(place, size=9):
    """A map with one high place, (1, 1, size, size)."""
    shown = torch.zeros(1, 1, size, size)
    shown[0, 0, place[0], place[1]] = 50.0
    return shown


def test_the_nano_preset_stays_small_on_metaworld() -> None:
    with torch.device("meta"):  # counted, not made
        model = build(preset("nano").model, METAWORLD)

    assert sum(weight.numel() for weight in model.parameters()) <= 9_500_000


@pytest.mark.parametrize(
    ("place", "column_row"),
    [((4, 4), (0, 0)), ((0, 0), (-1, -1)), ((0, 8), (1, -1)), ((6, 2), (-0.5, 0.5))],
)
def test_soft_arg_max_finds_the_bright_place(place, column_row) -> None:
    found = soft_arg_max(bright(place))

    torch.testing.assert_close(found, torch.tensor([[*column_row, 50.0]]).float())


def test_soft_arg_max_of_a_flat_map_is_its_middle() -> None:
    found = soft_arg_max(torch.full((2, 3, 5, 7), 4.0))

    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0, 4.0] * 3] * 2), atol=1e-6, rtol=0)


def test_soft_arg_max_weighs_two_places_by_their_height() -> None:
    shown = torch.full((1, 1, 1, 3), -100.0)
    shown[0, 0, 0, 0], shown[0, 0, 0, 2] = 0.0, torch.log(torch.tensor(3.0))

    column, _row, strength = soft_arg_max(shown)[0]

    torch.testing.assert_close(column, torch.tensor(0.5))  # a quarter at -1, the rest at 1
    torch.testing.assert_close(strength, 0.75 * torch.log(torch.tensor(3.0)))


def test_soft_arg_max_survives_huge_maps() -> None:
    assert soft_arg_max(torch.tensor([[[[1e30, -1e30], [0, 1e30]]]])).isfinite().all()


def test_there_is_one_token_for_the_sentence_and_one_per_camera() -> None:
    backbone = a_model().backbone

    tokens = backbone(pictures(), backbone.tokenize(["go", "stop there"]))

    assert tokens.features.shape == (2, 3, 32)
    assert tokens.mask.all()


@torch.no_grad()
@pytest.mark.parametrize("camera", [0, 1])
def test_each_camera_reaches_its_own_token_alone(camera) -> None:
    backbone = a_model().backbone
    words, images = backbone.tokenize(["go", "stop"]), pictures()
    changed = list(images)
    changed[camera] = 255 - images[camera]

    moved = (backbone(images, words).features - backbone(changed, words).features).abs().amax(-1)

    assert (moved[:, 1 + camera] > 1e-3).all()
    others = [token for token in range(3) if token != 1 + camera]
    assert (moved[:, others] == 0).all()


@torch.no_grad()
def test_the_sentence_reaches_every_token() -> None:
    backbone = a_model().backbone

    one, other = (backbone(pictures(), backbone.tokenize([s] * 2)) for s in ("red", "blue"))

    assert ((one.features - other.features).abs().amax(-1) > 1e-4).all()


@torch.no_grad()
def test_the_sentence_changes_where_the_towers_look() -> None:
    """FiLM reaches into the maps, not only into what comes after them."""
    tower, picture = a_model().backbone.towers[0], torch.rand(1, 3, 32, 32)

    one, other = tower(picture, torch.ones(1, 16)), tower(picture, -torch.ones(1, 16))

    assert (one - other).abs().max() > 1e-4


@torch.no_grad()
def test_frames_of_a_batch_do_not_see_each_other() -> None:
    backbone = a_model().backbone
    images, words = pictures(4), backbone.tokenize(["go", "", "stop there", "open"])

    together = backbone(images, words).features

    for row in range(4):
        alone = backbone([image[[row]] for image in images], words[[row]]).features
        torch.testing.assert_close(alone, together[[row]], rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("size", [(8, 8), (33, 50), (96, 64)])
def test_pictures_of_many_sizes_can_be_seen(size) -> None:
    backbone = NanoBackbone(1, width=16, channels=(8, 8, 8), points=2, text_width=8).eval()
    picture = torch.randint(256, (2, *size, 3), dtype=torch.uint8)

    features = backbone([picture], backbone.tokenize(["go", "stop"])).features

    assert features.shape == (2, 2, 16)
    assert features.isfinite().all()


@torch.no_grad()
def test_a_large_picture_and_what_was_made_of_it_look_the_same() -> None:
    options = {"width": 16, "channels": (8, 8, 8), "points": 2, "text_width": 8}
    backbone = NanoBackbone(1, look_px=20, look_middle_px=60, **options).eval()
    picture = torch.randint(256, (2, 80, 80, 3), dtype=torch.uint8)
    small = torch.from_numpy(Look(px=20, middle_px=60).reduce(picture.numpy()))
    words = backbone.tokenize(["go", "stop"])

    whole, reduced = (backbone([one], words).features for one in (picture, small))

    assert small.shape == (2, 20, 20, 3)
    assert torch.equal(whole, reduced)


@torch.no_grad()
def test_the_layout_in_memory_does_not_matter() -> None:
    model = a_model()
    words, images = model.tokenize(["go", "stop"]), pictures()
    before = model.backbone(images, words).features

    after = model.to(memory_format=torch.channels_last).backbone(images, words).features

    torch.testing.assert_close(after, before, rtol=0, atol=1e-5)
