"""Tests for policies/tinyvla/film_resnet.py and the preset around it."""

from dataclasses import replace

import pytest
import torch
from fakes import INTERFACE, an_observation
from tiny_models import CONFIG, a_policy
from torch import nn

from tinyvla_gym.contracts import check_policy
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.config import build
from tinyvla_gym.policies.tinyvla.film_resnet import FilmResNet, Tower
from tinyvla_gym.training.presets import preset

SMALL = {"width": 32, "channels": (16, 16, 32, 32), "points": 4, "text_width": 16}
TINY = replace(CONFIG, backbone="film_resnet", backbone_options=SMALL)


def test_the_default_tower_is_a_resnet_18() -> None:
    """11,176,512 weights without its last layer, of which the norms' are as many as here."""
    tower = Tower((64, 128, 256, 512), points=1, text_width=1)
    extras = ("film", "points")

    ours = sum(w.numel() for name, w in tower.named_parameters() if not _any(extras, name))

    assert ours == 11_176_512


def _any(parts, name):
    return any(part in name for part in parts)


def test_a_policy_with_it_keeps_every_promise() -> None:
    check_policy(a_policy(config=TINY))


def test_the_sentence_reaches_every_block() -> None:
    model = build(TINY, INTERFACE)
    for part in model.modules():
        if isinstance(part, nn.Linear) and not part.weight.any():
            nn.init.normal_(part.weight, std=0.1)
    images = [torch.zeros(1, 12, 16, 3, dtype=torch.uint8), torch.zeros(1, 8, 8, 3).byte()]
    words = model.tokenize([an_observation()["instruction"]])

    model.backbone(images, words).features.sum().backward()

    films = [
        w.grad for name, w in model.backbone.named_parameters() if name.endswith("film.weight")
    ]
    assert len(films) == 2 * 8
    assert all(grad.any() for grad in films)


def test_fresh_blocks_do_not_depend_on_the_sentence() -> None:
    backbone = FilmResNet(1, **SMALL).eval()
    image = torch.randint(0, 255, (1, 16, 16, 3)).byte()

    one, other = (
        backbone([image], backbone.tokenize([sentence])).features for sentence in ("open", "shut")
    )

    assert torch.equal(one, other)


def test_channels_that_cannot_be_grouped_are_refused() -> None:
    with pytest.raises(ConfigError, match="must be multiples of 16"):
        FilmResNet(1, channels=(8, 16, 16, 16))


def test_the_preset_is_the_baseline_with_the_bundled_policys_head() -> None:
    baseline, nano = preset("diffusion-policy").model, preset("nano").model

    assert baseline.backbone == "film_resnet"
    assert replace(
        baseline, backbone="nano", backbone_options={}, fusion_layers=nano.fusion_layers
    ) == replace(nano, backbone_options={})
