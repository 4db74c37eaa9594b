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


def test_an_unknown_preset_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match=r"no preset 'nanoo'\. Did you mean 'nano'"):
        preset("nanoo")


def test_an_unknown_set_of_adapters_gets_a_suggestion() -> None:
    with pytest.raises(
        UnknownNameError, match=r"no set of adapters 'papier'\. Did you mean 'paper'"
    ):
        lora("papier")
