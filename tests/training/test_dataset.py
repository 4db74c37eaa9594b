"""Tests for training/dataset.py: from demonstrations to a policy that drives."""

import json
import shutil
from dataclasses import replace

import gymnasium as gym
import pytest
import torch
from pretrained_models import OPTIONS
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from tinyvla_gym import __version__
from tinyvla_gym.chunking import RecedingHorizon
from tinyvla_gym.contracts import check_policy
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.demonstrations import Plan, collect
from tinyvla_gym.envs.registration import REACH_ID
from tinyvla_gym.errors import (
    CheckpointError,
    ConfigError,
    DatasetError,
    InterfaceMismatchError,
    OutputError,
)
from tinyvla_gym.loop import rollout
from tinyvla_gym.policies.load import load_policy
from tinyvla_gym.policies.tinyvla.config import build_backbone
from tinyvla_gym.policies.tinyvla.lora import add_lora, merge_lora
from tinyvla_gym.policies.tinyvla.pretrained import save_backbone
from tinyvla_gym.training import dataset as training_dataset
from tinyvla_gym.training import start as training_start
from tinyvla_gym.training.dataset import train_on_dataset
from tinyvla_gym.training.origin import tensors_digest
from tinyvla_gym.training.presets import preset


@pytest.fixture(scope="module")
def trained(reach_data, settings, tmp_path_factory):
    run = tmp_path_factory.mktemp("trained") / "run"
    train_on_dataset(reach_data, run, settings, name="toy")
    return run


@pytest.fixture(scope="module")
def other_data(reach_data, tmp_path_factory):
    """The toy again, in larger pictures."""
    folder = tmp_path_factory.mktemp("other") / "data"
    options = {"cameras": {"top": 40}}
    collect([REACH_ID], folder, Plan(episodes=2, horizon=60), env_options=options)
    return folder


def test_the_policy_promises_what_it_was_trained_under(trained, reach_data, settings) -> None:
    spec, dataset = load_policy(trained / "checkpoint").spec, Dataset(reach_data)

    assert spec.name == "toy"
    assert spec.interface == dataset.interface
    assert spec.profile == dataset.profile == "kinematic-1"
    assert (spec.horizon, spec.execute) == (settings.model.horizon, settings.model.execute)
    assert spec.noise_shape == (8, 4)


def test_the_policy_drives_the_env_that_its_spec_asks_for(trained) -> None:
    policy = load_policy(trained / "checkpoint")
    check_policy(policy)
    env = gym.make(REACH_ID, **policy.spec.env_options, horizon=6)

    first, again = (rollout(env, RecedingHorizon(policy), seed=500_000) for _ in range(2))

    assert first == again
    assert 1 <= first.steps <= 6


def test_the_checkpoint_says_how_it_came_to_be(trained, reach_data, settings) -> None:
    facts = load_policy(trained / "checkpoint").facts

    dataset = Dataset(reach_data)
    assert facts["data"] == {
        "fingerprint": dataset.fingerprint(),
        "episodes": 12,
        "frames": dataset.frames,
        "tasks": [""],
    }
    assert facts["start"] is None
    assert facts["train"] == json.loads(json.dumps(settings.to_dict()))
    assert facts["versions"]["torch"] == torch.__version__
    assert facts["versions"]["tinyvla-gym"] == __version__
    assert set(facts["versions"]) == {"python", "tinyvla-gym", "torch", "diffusers"}


def test_a_policy_can_be_tuned_on_with_adapters(trained, reach_data, settings, tmp_path) -> None:
    start = str(trained / "checkpoint")
    config = replace(settings, lora_rank=2)

    train_on_dataset(reach_data, tmp_path / "run", config, name="tuned", start=start)

    policy, before = load_policy(tmp_path / "run" / "checkpoint"), load_policy(start)
    assert policy.facts["start"] == start
    assert policy.facts["train"]["lora_rank"] == 2
    ours, theirs = policy.model.state_dict(), before.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert not torch.equal(ours["backbone.read.weight"], theirs["backbone.read.weight"])
    assert torch.equal(ours["backbone.text.pieces.weight"], theirs["backbone.text.pieces.weight"])


def test_a_start_may_move_but_not_change_while_a_run_is_interrupted(
    trained, reach_data, settings, tmp_path
) -> None:
    """Its folder is named in the checkpoint, its weights are what a resumed run knows it by."""
    here, there = tmp_path / "here", tmp_path / "there"
    shutil.copytree(trained / "checkpoint", here)
    given = (reach_data, tmp_path / "run", settings)
    train_on_dataset(*given, name="t", start=str(here))

    here.rename(there)
    policy = train_on_dataset(*given, name="t", start=str(there), resume=True)
    assert policy.facts["start"] == str(there)
    assert policy.facts["start_weights"] == tensors_digest(load_policy(there).model.state_dict())

    changed = load_policy(there)
    with torch.no_grad():
        changed.model.norm.weight.add_(0.1)
    changed.save_pretrained(there)
    with pytest.raises(ConfigError, match=r"other settings: start_weights\.$"):
        train_on_dataset(*given, name="t", start=str(there), resume=True)


def test_a_backbone_that_moved_is_known_again_by_weights_and_vocabulary(
    reach_data, settings, tmp_path
) -> None:
    model = replace(
        settings.model,
        backbone="pretrained_nano",
        backbone_options={**OPTIONS, "tokenizer": str(tmp_path / "words.json")},
    )
    words = {name: Tokenizer(WordLevel({name: 7, "[UNK]": 0}, "[UNK]")).to_str() for name in "ab"}
    (tmp_path / "words.json").write_text(words["a"])
    backbone = build_backbone(model, 2)
    save_backbone(tmp_path / "here", model.backbone, model.backbone_options, backbone)
    given = (reach_data, tmp_path / "run", replace(settings, steps=2, warmup_steps=1))
    train_on_dataset(*given, name="t", start=str(tmp_path / "here"))

    there = (tmp_path / "here").rename(tmp_path / "there")
    train_on_dataset(*given, name="t", start=str(there), resume=True)

    (there / "tokenizer.json").write_text(words["b"])
    with pytest.raises(ConfigError, match=r"other settings: vocabulary\.$"):
        train_on_dataset(*given, name="t", start=str(there), resume=True)


def test_a_start_brings_its_own_model(trained, reach_data, settings, tmp_path) -> None:
    """Whatever the settings say: a preset for another model may tune it."""
    config = replace(settings, model=replace(settings.model, horizon=16))

    policy = train_on_dataset(
        reach_data, tmp_path / "run", config, name="t", start=str(trained / "checkpoint")
    )

    assert policy.config == settings.model
    assert policy.spec.horizon == 8


def test_a_start_may_be_a_backbone_which_gets_a_head_and_the_datas_statistics(
    trained, reach_data, settings, tmp_path
) -> None:
    before = load_policy(trained / "checkpoint")
    backbone = before.model.backbone
    save_backbone(tmp_path / "base", "nano", before.config.backbone_options, backbone)
    config = replace(settings, learning_rate=0.0, weight_decay=0.0)

    policy = train_on_dataset(
        reach_data, tmp_path / "run", config, name="t", start=str(tmp_path / "base")
    )

    ours, theirs = policy.model.state_dict(), before.model.state_dict()
    assert torch.equal(ours["backbone.read.weight"], theirs["backbone.read.weight"])
    assert not torch.equal(ours["norm.weight"], theirs["norm.weight"])
    assert policy.normalizer.to_dict() == before.normalizer.to_dict()


def test_settings_for_another_backbone_than_the_starts_are_refused(
    trained, reach_data, settings, tmp_path
) -> None:
    other = replace(settings, model=preset("diffusion-policy").model)
    start = str(trained / "checkpoint")

    with pytest.raises(ConfigError) as caught:
        train_on_dataset(reach_data, tmp_path / "run", other, name="t", start=start)

    told = str(caught.value)
    assert told.startswith(f"{start} has the backbone nano, and these settings are for film_resnet")
    assert "Choose a preset for it: nano, nano-mt50, " in told
    assert not (tmp_path / "run").exists()


def test_a_start_for_other_pictures_is_refused_with_both_sides(
    trained, other_data, settings, tmp_path
) -> None:
    start = str(trained / "checkpoint")

    with pytest.raises(InterfaceMismatchError, match="cameras: top 32x32, front 32x32 against top"):
        train_on_dataset(other_data, tmp_path / "run", settings, name="t", start=start)

    assert not (tmp_path / "run").exists()


def test_a_start_that_is_no_tinyvla_is_refused(reach_data, settings, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(training_start, "load_policy", lambda where: object())

    with pytest.raises(ConfigError, match="some/thing is no TinyVLA policy"):
        train_on_dataset(reach_data, tmp_path / "run", settings, name="t", start="some/thing")


def test_a_start_that_is_not_there_is_refused(reach_data, settings, tmp_path) -> None:
    with pytest.raises(CheckpointError, match="there is no such folder"):
        train_on_dataset(reach_data, tmp_path / "run", settings, name="t", start="./gone")


def test_a_dataset_that_is_not_there_is_refused_and_no_run_begun(settings, tmp_path) -> None:
    with pytest.raises(DatasetError, match="gone"):
        train_on_dataset(tmp_path / "gone", tmp_path / "run", settings, name="t")

    assert not (tmp_path / "run").exists()


def test_a_run_does_not_go_on_with_another_dataset(trained, other_data, settings) -> None:
    with pytest.raises(ConfigError, match="other settings: data"):
        train_on_dataset(other_data, trained, settings, name="toy", resume=True)


def test_a_run_goes_on_with_its_dataset_and_is_not_begun_twice(
    trained, reach_data, settings
) -> None:
    with pytest.raises(OutputError, match="it holds a run"):
        train_on_dataset(reach_data, trained, settings, name="toy")

    policy = train_on_dataset(reach_data, trained, settings, name="toy", resume=True)

    assert policy.facts["data"]["episodes"] == 12


def test_other_picture_sizes_train_too(other_data, settings, tmp_path) -> None:
    policy = train_on_dataset(other_data, tmp_path / "run", settings, name="large")

    env = gym.make(REACH_ID, **policy.spec.env_options, horizon=3)
    assert rollout(env, RecedingHorizon(policy), seed=500_001).steps <= 3


def test_a_start_with_adapters_is_merged_first(trained, reach_data, settings, tmp_path) -> None:
    adapted = load_policy(trained / "checkpoint")
    add_lora(adapted.model, rank=2, alpha=4.0)
    for name, weight in adapted.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    adapted.save_pretrained(tmp_path / "adapted")
    merge_lora(adapted.model)
    still = replace(settings, steps=2, warmup_steps=1, learning_rate=0.0)

    policy = train_on_dataset(
        reach_data, tmp_path / "run", still, name="toy", start=str(tmp_path / "adapted")
    )

    found = policy.model.state_dict()
    for name, weight in adapted.model.state_dict().items():
        torch.testing.assert_close(found[name], weight, rtol=1e-3, atol=1e-3)  # float16


def test_a_folder_in_use_is_told_before_pictures_are_decoded(
    settings, reach_data, tmp_path, monkeypatch
) -> None:
    (tmp_path / "train.json").write_text("{}")
    monkeypatch.setattr(training_dataset, "open_cache", lambda *_, **__: pytest.fail("decoded"))

    with pytest.raises(OutputError, match="it holds a run"):
        train_on_dataset(reach_data, tmp_path, settings, name="t")
