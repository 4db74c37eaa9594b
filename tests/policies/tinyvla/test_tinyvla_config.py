"""Tests for policies/tinyvla/config.py."""

import json
from dataclasses import replace

import pytest
from fakes import INTERFACE
from tiny_models import CONFIG

from tinyvla_gym.errors import ChunkLengthError, ConfigError, UnknownNameError
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig, build
from tinyvla_gym.training.presets import PRESETS


@pytest.mark.parametrize("config", [TinyVLAConfig(), CONFIG, *(p.model for p in PRESETS.values())])
def test_a_config_survives_json(config) -> None:
    assert TinyVLAConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_config_with_a_missing_or_strange_key_is_refused() -> None:
    facts = {**CONFIG.to_dict(), "depth": 3}
    del facts["widths"]

    with pytest.raises(ConfigError, match=r"missing: widths; unknown: depth\."):
        TinyVLAConfig.from_dict(facts)


def test_an_unknown_backbone_is_named() -> None:
    with pytest.raises(UnknownNameError, match=r"no backbone 'nono'\. Did you mean 'nano'"):
        replace(CONFIG, backbone="nono")


@pytest.mark.parametrize("horizon", [0, -4, 2, 6, 15])
def test_the_horizon_is_a_multiple_of_four(horizon) -> None:
    with pytest.raises(ConfigError, match=f"horizon={horizon} must be a multiple of 4"):
        replace(CONFIG, horizon=horizon)


@pytest.mark.parametrize("execute", [0, 9])
def test_execute_must_fit_the_chunk(execute) -> None:
    with pytest.raises(ChunkLengthError, match=f"execute={execute} does not fit a chunk of 8"):
        replace(CONFIG, execute=execute)


IMPOSSIBLE = {
    "no fusion": ({"fusion_layers": 0}, "fusion_layers must be at least 1"),
    "no steps": ({"sample_steps": 0}, "sample_steps=0 must be from 1 to train_steps=100"),
    "more steps than levels": ({"sample_steps": 101}, "sample_steps=101 must be from 1"),
    "odd groups": ({"widths": (8, 12, 16)}, "must be multiples of groups=8"),
    "even kernel": ({"kernel": 4}, "kernel=4 must be odd"),
    "odd embedding": ({"step_size": 7}, "step_size=7 even"),
    "tiny embedding": ({"step_size": 2}, "step_size=2 even, at least 4"),
}


@pytest.mark.parametrize(("changes", "complaint"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_models_are_refused(changes, complaint) -> None:
    with pytest.raises(ConfigError, match=complaint):
        replace(CONFIG, **changes)


def test_the_model_follows_the_config() -> None:
    model = build(replace(CONFIG, fusion_layers=2, sample_steps=7), INTERFACE)

    assert [part.out_features for part in model.fusion if hasattr(part, "out_features")] == [32] * 2
    assert model.fusion[0].in_features == 32 + 2
    assert len(model.head.schedule.timesteps) == 7
    assert len(model.backbone.towers) == len(INTERFACE.cameras)
    assert model.head.denoiser.final[-1].out_channels == 2


def test_a_look_that_does_not_fit_a_camera_is_refused_before_anything_is_looked_at() -> None:
    options = {**CONFIG.backbone_options, "look_px": 7}

    with pytest.raises(ConfigError, match=r"12 x 16 px.* to look_px=7 .* would do: 8, 4\."):
        build(replace(CONFIG, backbone_options=options), INTERFACE)


@pytest.mark.parametrize("options", [{"wings": 2}, {"width": -8}, {"channels": (8, 12, 16)}])
def test_options_that_the_backbone_does_not_know_are_refused(options) -> None:
    with pytest.raises(ConfigError, match=r"do not fit nano"):
        build(replace(CONFIG, backbone_options=options), INTERFACE)
