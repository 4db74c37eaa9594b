"""Tests for policies/tinyvla/{saving,pretrained,card}.py: adapters, bases, vocabularies, the hub.

Plain saving and its damages are in policies/test_checkpoint.py.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from fakes import INTERFACE, an_observation
from safetensors.torch import load_file
from tiny_models import CONFIG, NORMALIZER, SPEC, a_model, a_policy

from tinyvla_gym.errors import CheckpointError, OutputError
from tinyvla_gym.policies.load import load_policy
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig, build
from tinyvla_gym.policies.tinyvla.lora import add_lora, merge_lora
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.policies.tinyvla.pretrained import is_backbone, load_backbone, save_backbone

GOLDEN = Path(__file__).parents[2] / "golden"
NOISE = np.random.default_rng(0).standard_normal((1, 8, 2), np.float32)


def plans(policy):
    return policy.plan_batch([an_observation(x_m=0.3, instruction="go")], noise=NOISE)


def adapted():
    """A policy whose adapters say something."""
    policy = a_policy()
    add_lora(policy.model, rank=2, alpha=4.0)
    torch.manual_seed(3)
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    return policy


def load(folder, **wishes):
    return TinyVLAPolicy.from_pretrained(folder, **wishes)


def same(one, other, atol=1e-5):
    np.testing.assert_allclose(one, other, rtol=0, atol=atol)


def test_adapters_are_kept_beside_the_weights(tmp_path) -> None:
    policy = adapted()
    policy.save_pretrained(tmp_path / "adapted")

    again = load(tmp_path / "adapted")

    np.testing.assert_array_equal(plans(again), plans(policy))
    assert not np.allclose(plans(again), plans(a_policy()), atol=1e-3)
    assert any("lora_A" in name for name in load_file(tmp_path / "adapted/model.safetensors"))


def test_merged_says_the_same_as_unmerged(tmp_path) -> None:
    policy = adapted()
    policy.save_pretrained(tmp_path / "adapted")
    merge_lora(policy.model)
    policy.save_pretrained(tmp_path / "merged")

    unmerged, merged = load(tmp_path / "adapted"), load(tmp_path / "merged")

    same(plans(unmerged), plans(merged))
    assert merged.model.state_dict().keys() == a_model().state_dict().keys()


@pytest.fixture
def base(tmp_path):
    save_backbone(tmp_path / "base", "nano", CONFIG.backbone_options, a_model().backbone)
    return tmp_path / "base"


def test_what_the_base_has_is_not_written_again(base, tmp_path) -> None:
    policy = adapted()
    policy.save_pretrained(tmp_path / "small", base=base)

    again = load(tmp_path / "small")

    np.testing.assert_array_equal(plans(again), plans(policy))
    names = load_file(tmp_path / "small/model.safetensors")
    assert not [n for n in names if n.startswith("backbone.") and "lora_" not in n]


def test_a_base_may_have_moved(base, tmp_path) -> None:
    policy = adapted()
    policy.save_pretrained(tmp_path / "small", base=base)
    shutil.move(base, tmp_path / "elsewhere")

    with pytest.raises(CheckpointError, match=r"(?s)its backbone is not at .*base=FOLDER"):
        load(tmp_path / "small")
    np.testing.assert_array_equal(
        plans(load(tmp_path / "small", base=tmp_path / "elsewhere")), plans(policy)
    )


def test_another_base_is_refused(base, tmp_path) -> None:
    adapted().save_pretrained(tmp_path / "small", base=base)
    save_backbone(base, "nano", CONFIG.backbone_options, a_model(seed=9).backbone)

    with pytest.raises(CheckpointError, match=r"is another than the one .*sha256 \w{12} instead"):
        load(tmp_path / "small")


def test_adapters_that_fit_no_layer_are_refused(tmp_path) -> None:
    adapted().save_pretrained(tmp_path / "adapted")
    path = tmp_path / "adapted/config.json"
    config = json.loads(path.read_text())
    config["lora"]["targets"] = ["wings"]
    path.write_text(json.dumps(config))

    with pytest.raises(CheckpointError, match=r"adapters do not fit: .*no linear layer 'wings'"):
        load(tmp_path / "adapted")


def test_a_backbone_is_no_policy_and_says_so(base) -> None:
    with pytest.raises(CheckpointError, match="a backbone without a head: train a policy on it"):
        load_policy(base)
    assert is_backbone(base)
    assert not is_backbone("nano")


def test_a_backbone_comes_back(base) -> None:
    found = load_backbone(base)
    model = build(found.within(CONFIG), INTERFACE)
    found.load_into(model.backbone)

    for name, tensor in a_model().backbone.state_dict().items():
        assert torch.equal(model.backbone.state_dict()[name], tensor), name


def test_a_backbones_weights_must_fit(base) -> None:
    model = build(replace(CONFIG, backbone_options={}), INTERFACE)

    with pytest.raises(CheckpointError, match="misshaped weights"):
        load_backbone(base).load_into(model.backbone)


def with_vocabulary():
    options = {
        "vision": {
            "model_type": "clip_vision_model",
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
        },
        "body": {
            "vocab_size": 50304,
            "hidden_size": 8,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 16,
        },
        "tokenizer": str(GOLDEN / "tokenizer.json"),
    }
    config = TinyVLAConfig(
        backbone="llava_pythia",
        backbone_options=options,
        horizon=8,
        execute=4,
        widths=(8, 16, 16),
        step_size=8,
    )
    torch.manual_seed(0)
    return TinyVLAPolicy(build(config, INTERFACE), config, SPEC, NORMALIZER)


def test_the_vocabulary_travels_with_the_checkpoint(tmp_path) -> None:
    policy = with_vocabulary()
    policy.save_pretrained(tmp_path / "first")
    shutil.move(tmp_path / "first", tmp_path / "second")

    again = load(tmp_path / "second")
    again.save_pretrained(tmp_path / "third")

    np.testing.assert_array_equal(plans(again), plans(policy))
    np.testing.assert_array_equal(plans(load(tmp_path / "third")), plans(policy))
    (tmp_path / "third/tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match=r"it has no tokenizer\.json; copy it from where"):
        load(tmp_path / "third")


class FakeHub:
    """What ``HfApi`` does here, on this machine's disk."""

    def __init__(self, place):
        self.place = place
        self.private = []

    def __call__(self):
        return self

    def create_repo(self, hub_id, *, private, exist_ok):
        self.private.append(private)
        return f"https://hub/{hub_id}"

    def upload_folder(self, *, repo_id, folder_path):
        shutil.copytree(folder_path, self.place / repo_id)


def test_what_is_pushed_can_be_loaded_and_has_a_card(tmp_path, monkeypatch) -> None:
    hub = FakeHub(tmp_path)
    monkeypatch.setattr(huggingface_hub, "HfApi", hub)
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda hub_id, allow_patterns: tmp_path / hub_id
    )
    train = {"steps": 2, "model": {"widths": [8, 16], "head_options": {}}, "head_rate": None}
    policy = a_policy(facts={"seed": 7, "train": train})

    page = policy.push_to_hub("me/tiny-pushed", half=False, private=True, facts="Made for a test.")

    np.testing.assert_array_equal(plans(load("me/tiny-pushed")), plans(policy))
    card = (tmp_path / "me/tiny-pushed/README.md").read_text()
    assert page == "https://hub/me/tiny-pushed"
    assert hub.private == [True]
    assert card.startswith("---\nlibrary_name: tinyvla-gym")
    for words in ("# tiny", "me/tiny-pushed", "Made for a test.", "- seed: 7", "front | 12 x 16"):
        assert words in card
    assert "- train:\n  - steps: 2\n  - model:\n    - widths: 8, 16\n\nNothing on this" in card


def test_a_hub_that_takes_nothing_is_an_error_with_a_remedy(monkeypatch) -> None:
    class NoNetwork(FakeHub):
        def create_repo(self, *_, **__):
            raise OSError("no network\nand much more")

    monkeypatch.setattr(huggingface_hub, "HfApi", NoNetwork(None))

    with pytest.raises(OutputError, match=r"the hub as me/x: no network\nIs the network up\?"):
        a_policy().push_to_hub("me/x")


def test_a_hub_id_without_a_network_says_what_to_try(monkeypatch) -> None:
    def fetch(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)

    with pytest.raises(CheckpointError) as failure:
        load("somebody/without-network")

    assert str(failure.value) == (
        "The checkpoint somebody/without-network cannot be used: it cannot be fetched from the "
        "hub: no network\nThere is no such folder here either. Is the network up, and the name "
        "right?"
    )
