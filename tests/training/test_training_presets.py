"""Tests for training/presets.py."""

import json

import pytest

from tinyvla_gym.errors import UnknownNameError
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig
from tinyvla_gym.training.presets import PRESETS, lora, preset


@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS)
def test_a_presets_model_survives_json(config) -> None:
    written = json.loads(json.dumps(config.to_dict()))

    assert TinyVLAConfig.from_dict(written["model"]) == config.model


@pytest.mark.parametrize("size", ["s", "b", "h"])
def test_the_published_sizes_learn_as_the_released_run_does(size) -> None:
    config = preset(size)

    assert (config.learning_rate, config.head_rate, config.weight_decay) == (2e-4, 2e-5, 0.0)
    assert (config.betas, config.epsilon, config.clip_norm) == ((0.9, 0.98), 1e-7, None)
    assert (config.lora_rank, config.lora_alpha, config.lora_dropout) == (64, 256.0, 0.05)
    assert (config.steps, config.warmup_steps) == (10_000, 50)
    assert config.ema_decay == 0.0  # the last weights
    assert config.foresight_ticks == ()  # no loss but the noise's


def test_an_unknown_preset_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match=r"no preset 'nanoo'\. Did you mean 'nano'"):
        preset("nanoo")


def test_an_unknown_set_of_adapters_gets_a_suggestion() -> None:
    with pytest.raises(
        UnknownNameError, match=r"no set of adapters 'papier'\. Did you mean 'paper'"
    ):
        lora("papier")
