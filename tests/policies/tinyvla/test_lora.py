"""Tests for policies/tinyvla/lora.py."""

import copy

import pytest
import torch
from fakes import INTERFACE, an_observation
from peft import PeftModel
from tiny_models import a_model, a_policy
from torch import nn

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.lora import add_lora, attention_layers, merge_lora

SEEN = [an_observation(x_m=x, instruction=s) for x, s in ((-0.5, "go now"), (0.7, "stop"))]
ACTIONS, IS_PAD = torch.rand(2, 8, 2) * 2 - 1, torch.zeros(2, 8, dtype=torch.bool)


def inputs():
    return a_policy().inputs(SEEN)


def adapted(model=None, *, rank=2):
    model = a_model() if model is None else model
    add_lora(model, rank=rank, alpha=4.0)
    return model


def loss(model):
    noise = torch.Generator().manual_seed(0)
    return model.loss(inputs(), ACTIONS, IS_PAD, draws=4, generator=noise)


def trained(model, steps=5):
    torch.manual_seed(0)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-2)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model).backward()
        optimizer.step()
    return model.eval()


def encoded(model):
    with torch.no_grad():
        return model.encode(inputs())


def base_weights(model):
    """The backbone's own weights by their names without peft's additions."""
    return {
        name.removeprefix("base_model.model.").replace("base_layer.", ""): tensor.clone()
        for name, tensor in model.backbone.state_dict().items()
        if "lora_" not in name
    }


def test_fresh_adapters_change_nothing() -> None:
    model = a_model().eval()
    before, plain = encoded(model), loss(model)

    adapted(model).eval()

    assert torch.equal(encoded(model), before)
    assert torch.equal(loss(model), plain)


def test_adapters_and_the_head_are_trained_and_the_backbones_weights_are_not() -> None:
    model = adapted()

    for name, weight in model.named_parameters():
        free = "lora_" in name or name.startswith(("norm.", "fusion.", "head."))
        assert weight.requires_grad == free, name


def test_every_linear_layer_of_the_backbone_has_adapters_and_no_other_does() -> None:
    linear = [n for n, part in a_model().backbone.named_modules() if isinstance(part, nn.Linear)]
    model = adapted()

    names = [name for name, _ in model.named_parameters() if "lora_B" in name]

    assert len(names) == len(linear) > 10
    assert all(name.startswith("backbone.") for name in names)


def test_every_adapter_learns() -> None:
    """An adapter on a layer that is never used would have no gradient."""
    model = adapted()

    loss(model).backward()

    for name, weight in model.named_parameters():
        if "lora_B" in name:
            assert weight.grad is not None, name
            assert weight.grad.any(), name


def test_training_leaves_the_backbones_weights_untouched() -> None:
    model = adapted()
    before, was = base_weights(model), encoded(model.eval())

    trained(model)

    after = base_weights(model)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert (encoded(model) - was).abs().max() > 1e-3


def test_merged_weights_say_the_same_as_adapters_beside_them() -> None:
    model = trained(adapted())
    unmerged = encoded(model)

    merge_lora(model)

    torch.testing.assert_close(encoded(model), unmerged, rtol=0, atol=1e-5)
    assert model.state_dict().keys() == a_model().state_dict().keys()
    assert not isinstance(model.backbone, PeftModel)


def test_merging_adds_scale_times_b_times_a() -> None:
    model = trained(adapted())
    before = base_weights(model)["read.weight"]
    layer = model.backbone.get_submodule("base_model.model.read")
    low, high = layer.lora_A["default"].weight.detach(), layer.lora_B["default"].weight.detach()

    merge_lora(model)

    wanted = before + (4.0 / 2) * high @ low
    torch.testing.assert_close(model.backbone.read.weight.detach(), wanted, rtol=0, atol=1e-6)


def test_a_copy_can_be_merged_while_the_original_trains_on() -> None:
    """As the averaged weights are."""
    model = trained(adapted())
    twin = copy.deepcopy(model)

    merge_lora(twin)
    trained(model, steps=1)

    assert isinstance(model.backbone, PeftModel)
    assert (encoded(model) - encoded(twin)).abs().max() > 1e-5


def test_merging_without_adapters_does_nothing() -> None:
    model = a_model().eval()
    before = encoded(model)

    merge_lora(model)

    assert torch.equal(encoded(model), before)


def test_a_merged_model_can_be_adapted_again() -> None:
    model = trained(adapted())
    merge_lora(model)
    before = encoded(model)

    adapted(model, rank=3).eval()

    assert torch.equal(encoded(model), before)


def test_an_adapted_policy_plans_and_drops_nothing() -> None:
    policy = a_policy()
    add_lora(policy.model, rank=2, alpha=4.0)

    assert not any(part.training for part in policy.model.modules())

    assert policy.plan(SEEN[0]).shape == (8, len(INTERFACE.action))


@pytest.mark.parametrize("rank", [0, -1])
def test_the_rank_is_at_least_one(rank) -> None:
    with pytest.raises(ConfigError, match=f"a rank of at least 1, got {rank}"):
        adapted(rank=rank)


def test_a_backbone_without_linear_layers_is_refused() -> None:
    model = a_model()
    model.backbone = nn.Sequential(nn.Conv2d(3, 3, 1))

    with pytest.raises(ConfigError, match="no linear layer to adapt"):
        adapted(model)


def test_the_papers_adapters_go_on_queries_keys_and_values_only() -> None:
    backbone = nn.ModuleDict(
        {
            "eyes": nn.ModuleDict({name: nn.Linear(2, 2) for name in ("q_proj", "k_proj", "fc1")}),
            "body": nn.ModuleDict({"query_key_value": nn.Linear(2, 6), "dense": nn.Linear(2, 2)}),
        }
    )

    assert attention_layers(backbone) == ["eyes.q_proj", "eyes.k_proj", "body.query_key_value"]
    with pytest.raises(ConfigError, match="no layer that makes queries"):
        attention_layers(nn.Linear(2, 2))
