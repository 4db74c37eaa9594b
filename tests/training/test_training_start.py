"""Tests for training/loop.py: going on from a policy, whole or with adapters."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.lora import lora_facts, merge_lora
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


def test_adapters_can_be_kept_beside_the_weights_and_plan_as_merged_ones_do(
    started, reach_frames, reach_spec, settings, tmp_path
) -> None:
    """Whether they are kept changes nothing that is learnt: a finished run may still say so."""
    config = replace(settings, lora_rank=2, learning_rate=0.05)
    given = (reach_frames, reach_spec)
    observations = [reach_spec.interface.observation_space().sample() for _ in range(3)]
    observations = [{**seen, "instruction": "reach it"} for seen in observations]
    noise = np.random.default_rng(0).standard_normal((3, *reach_spec.noise_shape), np.float32)

    merged = train(*given, config, tmp_path / "run", start=started)
    kept = train(
        *given, replace(config, keep_adapters=True), tmp_path / "run", start=started, resume=True
    )

    facts = lora_facts(kept.model)
    assert facts is not None
    assert facts["rank"] == 2
    assert lora_facts(merged.model) is None
    with_adapters = kept.plan_batch(observations, noise=noise)
    assert np.abs(with_adapters - started.plan_batch(observations, noise=noise)).max() > 0.01
    rounded = merged.plan_batch(observations, noise=noise)  # to float16, once merged
    np.testing.assert_allclose(with_adapters, rounded, atol=0.02)
    merge_lora(kept.model)
    np.testing.assert_allclose(kept.plan_batch(observations, noise=noise), with_adapters, atol=1e-5)


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
