"""Tests for policies/tinyvla/pictures.py, against the released code's numbers.

``golden/pictures.npz``: two pictures, every fourth row and column of what the released evaluation
made of them (as the integers before the last division), and a sparse grid of the final values.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.pictures import CLIP_MEAN, CLIP_STD, Pictures
from tinyvla_gym.policies.tinyvla.released_pictures import enlarged, middle

GOLDEN = Path(__file__).parents[2] / "golden"
SIZES = ["84x84", "180x320"]


@pytest.fixture(scope="module")
def golden():
    return dict(np.load(GOLDEN / "pictures.npz"))


def both(golden, size):
    """Camera 0 saw the picture, camera 1 its mirror image."""
    seen = torch.from_numpy(golden[f"in_{size}"])
    return torch.stack([seen, seen.flip(1)])


def levels(pixels):
    """Undoes the normalisation: the integers from 0 to 255."""
    std, mean = (torch.tensor(values)[:, None, None] for values in (CLIP_STD, CLIP_MEAN))
    return (255 * (pixels * std + mean)).round().to(torch.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_the_released_path_is_exact(size, golden) -> None:
    pixels = Pictures(side=336)(both(golden, size))

    np.testing.assert_array_equal(levels(pixels[0])[:, ::4, ::4], golden[f"out_{size}"])
    for camera in (0, 1):
        grid = golden[f"grid_{size}_cam{camera}"]
        np.testing.assert_array_equal(pixels[camera][:, 10::53, 10::53], grid)


def test_the_released_path_without_its_crop_is_exact(golden) -> None:
    pixels = Pictures(side=336, crop_frac=1)(both(golden, "180x320"))

    wanted = golden["uncropped_out_180x320"]
    np.testing.assert_array_equal(levels(pixels[0])[:, ::4, ::4], wanted)


@pytest.mark.parametrize("size", SIZES)
def test_the_crop_is_exact(size, golden) -> None:
    unit = golden[f"in_{size}"].astype(np.float32) / np.float32(255)

    every_eighth = middle(unit, 0.95).transpose(2, 0, 1)[:, ::8, ::8]
    np.testing.assert_array_equal(every_eighth, golden[f"cropped_{size}"])


@pytest.mark.parametrize("path", ["released", "plain"])
def test_a_batch_is_its_rows(path, golden) -> None:
    pictures = Pictures(side=56, path=path)

    together = pictures(both(golden, "84x84"))

    for row, picture in enumerate(both(golden, "84x84")):
        torch.testing.assert_close(pictures(picture[None])[0], together[row], rtol=0, atol=0)


def test_the_plain_path_fills_the_square_and_keeps_flat_colours() -> None:
    flat = torch.full((1, 20, 40, 3), 128, dtype=torch.uint8)

    pixels = Pictures(side=28, path="plain", mean=(0.5,) * 3, std=(0.5,) * 3)(flat)

    assert pixels.shape == (1, 3, 28, 28)
    torch.testing.assert_close(pixels, torch.full_like(pixels, 2 * 128 / 255 - 1))


def test_the_released_path_pads_in_the_mean_colour() -> None:
    """Truncated to an integer, so that it is almost, not quite, zero."""
    pixels = Pictures(side=40)(torch.full((1, 20, 40, 3), 255, dtype=torch.uint8))

    assert pixels[0, :, 0].abs().max() < 0.02
    assert (pixels[0, :, 20] > 1.9).all()


IMPOSSIBLE = {
    "no path": ({"path": "fancy"}, "released or plain, got 'fancy'"),
    "nothing left": ({"crop_frac": 0.0}, "crop_frac must be above 0 and at most 1"),
    "more than all": ({"crop_frac": 1.5}, r"got 1\.5"),
}


@pytest.mark.parametrize(("settings", "complaint"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_settings_are_refused(settings, complaint) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Pictures(side=28, **settings)


@pytest.mark.parametrize(("count", "size"), [(171, 180), (19, 20), (7, 7), (3, 4)])
def test_stretching_is_torchs_own_but_for_the_last_bit(count, size) -> None:
    rows = np.random.default_rng(0).random((count, 5), np.float32)

    wanted = torch.nn.functional.interpolate(
        torch.from_numpy(rows)[None, None], (size, 5), mode="bilinear", antialias=True
    )
    np.testing.assert_allclose(enlarged(rows, size), wanted[0, 0].numpy(), rtol=0, atol=2e-7)
