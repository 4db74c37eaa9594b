"""Tests for training/config.py."""

from dataclasses import replace

import pytest

from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig
from tinyvla_gym.training.config import TrainConfig


def test_what_is_missing_keeps_its_default() -> None:
    assert TrainConfig.from_dict({"steps": 700}) == replace(TrainConfig(), steps=700)


def test_strange_adapters_are_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"no choice of LoRA layers 'mlp'\."):
        TrainConfig(lora_layers="mlp")


def test_a_strange_setting_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Unknown training settings: epochs, optimizer\."):
        TrainConfig.from_dict({"optimizer": "sgd", "epochs": 3})


def test_a_strange_setting_of_the_model_is_refused() -> None:
    model = {**TinyVLAConfig().to_dict(), "depth": 9}

    with pytest.raises(ConfigError, match="unknown: depth"):
        TrainConfig.from_dict({"model": model})


IMPOSSIBLE = {
    "unequal parts": ({"batch_size": 8, "parts": 3}, "8 frames cannot be cut into 3 equal parts"),
    "parts that nobody takes": ({"parts": 4, "processes": 3, "batch_size": 12}, "divide the parts"),
    "a task shown never": ({"task_repeats": {"push": 0}}, "task_repeats must be at least 1 each"),
    "warm-up to the end": ({"steps": 300, "warmup_steps": 300}, "warmup_steps=300 must be below"),
    "no frames": ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    "no draws": ({"draws": 0}, "draws must be at least 1"),
    "no process": ({"processes": 0}, "processes must be at least 1"),
    "no log": ({"log_every": 0}, "log_every must be at least 1"),
    "no state": ({"save_every": 0}, "save_every must be at least 1"),
    "a negative warm-up": ({"warmup_steps": -1}, "warmup_steps must not be negative"),
    "a negative rank": ({"lora_rank": -4}, "lora_rank must not be negative"),
    "a negative shift": ({"shift_px": -1}, "shift_px must not be negative"),
    "a negative jitter": ({"jitter": -0.1}, "jitter must not be negative"),
    "a negative seed": ({"seed": -1}, "seed must not be negative"),
    "more processes than frames": (
        {"processes": 3, "batch_size": 2},
        "processes=3 cannot share batches of 2 frames",
    ),
    "states between lines": (
        {"log_every": 50, "save_every": 125},
        "save_every=125 must be a multiple of log_every=50",
    ),
    "averages that never move": ({"ema_decay": 1.0}, r"ema_decay must be in \[0, 1\), got 1\.0"),
}


@pytest.mark.parametrize(("changes", "complaint"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_settings_are_refused(changes, complaint) -> None:
    with pytest.raises(ConfigError, match=complaint):
        replace(TrainConfig(), **changes)
