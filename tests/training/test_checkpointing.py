"""Tests for training/checkpointing.py."""

import pytest
import torch
from fakes import INTERFACE, an_observation
from tiny_models import a_model

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig, build
from tinyvla_gym.policies.tinyvla.lora import add_lora
from tinyvla_gym.policies.tinyvla.model import Inputs
from tinyvla_gym.training.checkpointing import forget_activations

BLOCKS = 3
CONFIG = TinyVLAConfig(
    backbone="llava_pythia",
    backbone_options={
        "vision": {
            "model_type": "clip_vision_model",
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": BLOCKS,
            "num_attention_heads": 2,
            "image_size": 16,
            "patch_size": 8,
        },
        "body": {
            "vocab_size": 300,
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
        },
    },
    horizon=8,
    execute=4,
    widths=(16, 32, 32),
    step_size=16,
)


def gradients(*, forgetful):
    """Every adapter's gradient for the same batch and the same noise."""
    torch.manual_seed(0)
    model = build(CONFIG, INTERFACE)
    add_lora(model, rank=2, alpha=4.0, dropout=0.0)
    for name, weight in model.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.normal_(weight, std=0.1)  # at zero, lora_A would get no gradient
    if forgetful:
        forget_activations(model.backbone)
    seen = [an_observation(x_m=x) for x in (-0.5, 0.7)]
    inputs = Inputs(
        images=[
            torch.stack([torch.from_numpy(one[f"image_{camera.name}"]) for one in seen])
            for camera in INTERFACE.cameras
        ],
        words=model.tokenize([one["instruction"] for one in seen]),
        state=torch.zeros(2, len(INTERFACE.state)),
    )
    model.train()
    model.loss(
        inputs,
        torch.zeros(2, 8, len(INTERFACE.action)),
        torch.zeros(2, 8, dtype=torch.bool),
        generator=torch.Generator().manual_seed(1),
    ).backward()
    return {name: weight.grad for name, weight in model.named_parameters() if ".lora_" in name}


def test_every_adapter_up_to_the_layer_that_is_read_learns_and_as_without() -> None:
    plain, forgetful = gradients(forgetful=False), gradients(forgetful=True)

    unread = f".layers.{BLOCKS - 1}."  # the tower's last block: layer -2 is read
    assert forgetful.keys() == plain.keys()
    for name, gradient in forgetful.items():
        if "eyes" in name and unread in name:
            assert gradient is None or not gradient.any()
            continue
        assert gradient is not None
        assert gradient.any(), name
        torch.testing.assert_close(gradient, plain[name])


def test_where_there_is_no_transformer_it_is_said() -> None:
    with pytest.raises(ConfigError, match="no transformer to save memory in"):
        forget_activations(a_model().backbone)
