"""Tests for training/config.py."""

from dataclasses import replace

import pytest

from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.training.config import TrainConfig


def test_strange_adapters_are_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"no choice of LoRA layers 'mlp'\."):
        TrainConfig(lora_layers="mlp")


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
    "a seed beyond torch's": ({"seed": 2**32}, "seed must be below 4294967296, got 4294967296"),
    "a negative rate": ({"learning_rate": -1e-3}, "learning_rate must not be negative, got -0.001"),
    "no rate": ({"learning_rate": float("nan")}, "learning_rate must not be negative, got nan"),
    "a negative head's rate": ({"head_rate": -1.0}, "head_rate must not be negative"),
    "a negative decay": ({"weight_decay": -0.1}, "weight_decay must not be negative"),
    "gradients cut to nothing": ({"clip_norm": 0.0}, "clip_norm must be above 0"),
    "means that never move": ({"betas": (0.9, 1.0)}, r"betas must be in \[0, 1\) each"),
    "division by nothing": ({"epsilon": 0.0}, "epsilon must be above 0"),
    "adapters of no scale": ({"lora_alpha": 0.0}, "lora_alpha must be above 0"),
    "all inputs dropped": ({"lora_dropout": 1.0}, r"lora_dropout must be in \[0, 1\), got 1\.0"),
    "the present foretold": (
        {"foresight_ticks": (8, 0)},
        "foresight_ticks must be at least 1 each",
    ),
    "no adapters to keep": ({"keep_adapters": True}, "keep_adapters needs adapters: set lora_rank"),
    "averages that never move": ({"ema_decay": 1.0}, r"ema_decay must be in \[0, 1\), got 1\.0"),
}


@pytest.mark.parametrize(("changes", "complaint"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_settings_are_refused(changes, complaint) -> None:
    with pytest.raises(ConfigError, match=complaint):
        replace(TrainConfig(), **changes)
