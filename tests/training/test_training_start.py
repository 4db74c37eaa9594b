"""Tests for training/loop.py: going on from a policy, whole or with adapters."""

from dataclasses import replace

import pytest
import torch

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.training.loop import train


@pytest.fixture(scope="module")
def started(finished):
    return TinyVLAPolicy.from_pretrained(finished / "checkpoint")


def test_a_run_begins_where_its_start_ended(
    started, reach_frames, reach_spec, settings, tmp_path
) -> None:
    still = replace(settings, learning_rate=0.0, weight_decay=0.0)

    policy = train(reach_frames, reach_spec, still, tmp_path / "run", start=started)

    ours, theirs = policy.model.state_dict(), started.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert policy.normalizer is not None
    assert policy.normalizer.to_dict() == started.normalizer.to_dict()


def test_a_start_is_not_changed_and_keeps_its_statistics(
    started, reach_frames, reach_spec, settings, tmp_path
) -> None:
    before = {name: tensor.clone() for name, tensor in started.model.state_dict().items()}
    wider = replace(started.normalizer, state_std=2 * started.normalizer.state_std)
    start = TinyVLAPolicy(started.model, started.config, started.spec, wider)

    policy = train(reach_frames, reach_spec, settings, tmp_path / "run", start=start)

    assert policy.normalizer.to_dict() == wider.to_dict()
    after = started.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_start_with_another_model_is_refused_before_the_run_begins(
    started, reach_frames, reach_spec, settings, tmp_path
) -> None:
    wider = replace(settings, model=replace(settings.model, fusion_layers=1))

    with pytest.raises(ConfigError, match="another model"):
        train(reach_frames, reach_spec, wider, tmp_path / "run", start=started)

    assert not (tmp_path / "run").exists()


def test_adapters_are_trained_and_merged(
    started, reach_frames, reach_spec, settings, tmp_path
) -> None:
    config = replace(settings, lora_rank=2)

    policy = train(reach_frames, reach_spec, config, tmp_path / "run", start=started)

    ours, theirs = policy.model.state_dict(), started.model.state_dict()
    assert ours.keys() == theirs.keys()
    changed = {name for name in ours if not torch.equal(ours[name], theirs[name])}
    assert "backbone.read.weight" in changed  # linear: adapted and merged
    assert "head.denoiser.final.1.weight" in changed  # trained as it is
    frozen = ("backbone.text.pieces.weight", "backbone.towers.0.stem.weight", "backbone.read.bias")
    assert changed.isdisjoint(frozen)
    apart = (ours["backbone.read.weight"] - theirs["backbone.read.weight"]).float()
    singular = torch.linalg.svdvals(apart)
    assert singular[2] < 0.1 * singular[0]  # of rank 2, up to rounding to half precision
