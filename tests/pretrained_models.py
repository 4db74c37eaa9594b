"""pretrained-nano with a reader small enough for tests, and the real one where its wheels are."""

import importlib.util
from dataclasses import replace

import pytest
from tiny_models import CONFIG

from tinyvla_gym.policies.tinyvla.pretrained_nano.wheels import EYES, READER

TEXT = {
    "vocab_size": 300,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 300,
}
OPTIONS = {
    "width": 32,
    "channels": (16, 16, 16),
    "points": 4,
    "text_width": 16,
    "text": TEXT,
    "frozen": 2,
    "wheels": False,
}
TINY = replace(CONFIG, backbone="pretrained_nano", backbone_options=OPTIONS)
REAL = replace(CONFIG, backbone="pretrained_nano")

needs_wheels = pytest.mark.skipif(
    any(importlib.util.find_spec(package) is None for package, _ in (EYES, READER)),
    reason="needs the wheels of the extra pretrained",
)
