"""Which weights a run with adapters changes: exactly those that the released code changes."""

from dataclasses import replace

import pytest
from fakes import INTERFACE

from tinyvla_gym.policies.tinyvla.config import build
from tinyvla_gym.training.loop import adapt
from tinyvla_gym.training.presets import lora, preset
from tinyvla_gym.training.rates import weight_groups

EYES = "backbone.base_model.model.eyes.tower.encoder.layers.{}.{}"
BODY = "backbone.base_model.model.body.layers.{}.{}"
IN_EYES = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]
IN_BODY = ["attention.query_key_value"]
LAYERS = {
    "paper": (IN_EYES, IN_BODY),
    "released": (
        [*IN_EYES, "self_attn.out_proj", "mlp.fc1", "mlp.fc2"],
        [*IN_BODY, "attention.dense", "mlp.dense_h_to_4h", "mlp.dense_4h_to_h"],
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_exactly_adapters_projector_fusion_norm_and_head_learn(name) -> None:
    config = replace(preset("toy-llava"), head_rate=2e-5, learning_rate=2e-4, **lora(name))
    in_eyes, in_body = LAYERS[name]
    layers = [EYES.format(block, part) for block in range(3) for part in in_eyes]
    layers += [BODY.format(block, part) for block in range(2) for part in in_body]
    model = build(config.model, INTERFACE)

    adapt(model, config)

    weights = dict(model.named_parameters())
    adapters = {f"{layer}.lora_{half}.default.weight" for layer in layers for half in "AB"}
    whole = {
        weight
        for weight in weights
        if ".projector." in weight or weight.startswith(("norm.", "fusion.", "head."))
    }
    assert {key for key, weight in weights.items() if weight.requires_grad} == adapters | whole
    slow, fast = weight_groups(model, config)[::-1]
    assert {id(weight) for weight in fast["params"]} == {id(weights[key]) for key in adapters}
    assert {id(weight) for weight in slow["params"]} == {id(weights[key]) for key in whole}
    assert (fast["peak"], slow["peak"]) == (2e-4, 2e-5)


def test_without_adapters_everything_learns() -> None:
    model = build(preset("toy-llava").model, INTERFACE)

    adapt(model, replace(preset("toy-llava"), lora_rank=0))

    assert all(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("size", ["s", "b", "h"])
def test_the_published_sizes_have_the_released_rank_scale_and_rates(size) -> None:
    config = preset(size)

    assert (config.lora_rank, config.lora_alpha, config.lora_dropout) == (64, 256.0, 0.05)
    assert (config.learning_rate, config.head_rate) == (2e-4, 2e-5)
