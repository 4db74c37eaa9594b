"""Tests for training/feature_cache.py: what is kept is what would have been seen."""

from dataclasses import replace

import pytest
import torch
from pretrained_models import OPTIONS
from training_runs import log, weights

from tinyvla_gym.data.places import default_cache_root
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.llava_pythia.backbone import LlavaPythia
from tinyvla_gym.policies.tinyvla.pretrained_nano.backbone import PretrainedNano
from tinyvla_gym.training.loop import train
from tinyvla_gym.training.presets import preset

BACKBONES = {"llava_pythia": LlavaPythia, "pretrained_nano": PretrainedNano}
LLAVA = {"lora_rank": 2, "freeze_adapters": True}


@pytest.fixture
def plain(settings):
    """A few steps on pictures that stay as they are."""
    return replace(
        settings, steps=4, batch_size=6, shift_px=0, jitter=0.0, save_every=2, lora_dropout=0.0
    )


def with_backbone(config, name, **changes):
    """Eyes that do not learn: LLaVA's by wish, pretrained-nano's trunk always."""
    options = {"llava_pythia": preset("toy-llava").model.backbone_options}.get(name, OPTIONS)
    model = replace(config.model, backbone=name, backbone_options=options)
    lora = LLAVA if name == "llava_pythia" else {"lora_rank": 2}
    return replace(config, model=model, **{**lora, **changes})


def curve(run):
    return [float(row["loss"]) for row in log(run)]


def folders():
    return {path.name for path in default_cache_root().glob("features-*")}


@pytest.mark.parametrize("name", BACKBONES)
def test_a_run_on_kept_features_learns_what_it_would_have(
    name, plain, reach_frames, reach_spec, tmp_path
) -> None:
    config = with_backbone(plain, name)
    train(reach_frames, reach_spec, config, tmp_path / "looks")

    train(reach_frames, reach_spec, replace(config, cache_features=True), tmp_path / "recalls")

    assert curve(tmp_path / "recalls") == pytest.approx(curve(tmp_path / "looks"), rel=1e-5)
    looked, recalled = weights(tmp_path / "looks"), weights(tmp_path / "recalls")
    for key, weight in looked.items():
        torch.testing.assert_close(recalled[key], weight, rtol=1e-3, atol=1e-3)  # float16


@pytest.mark.parametrize("name", BACKBONES)
def test_pictures_are_looked_at_once(
    name, plain, reach_frames, reach_spec, tmp_path, monkeypatch
) -> None:
    config = with_backbone(plain, name, cache_features=True, seed=3)  # nobody has looked yet
    told = []
    train(reach_frames, reach_spec, config, tmp_path / "first", on_looked=lambda *n: told.append(n))
    cameras = len(reach_spec.interface.cameras)
    seen = []
    look = BACKBONES[name].perceive

    def noted(self, image):
        seen.append(len(image))
        return look(self, image)

    monkeypatch.setattr(BACKBONES[name], "perceive", noted)

    train(reach_frames, reach_spec, replace(config, lora_rank=3), tmp_path / "second")

    assert told[-1] == (cameras * len(reach_frames.state),) * 2
    assert seen == [1] * cameras  # one picture of each, to see how large features are


def test_other_weights_and_other_pictures_have_features_of_their_own(
    plain, reach_frames, reach_spec, tmp_path
) -> None:
    config = with_backbone(plain, "llava_pythia", cache_features=True, seed=5)
    changes = {
        "seed": replace(config, seed=6),  # other random weights
        "mean": replace(
            config,
            model=replace(
                config.model,
                backbone_options={**config.model.backbone_options, "mean": (0.5, 0.5, 0.5)},
            ),
        ),
    }
    train(reach_frames, reach_spec, config, tmp_path / "run")
    before = folders()

    for name, changed in changes.items():
        train(reach_frames, reach_spec, changed, tmp_path / name)

    assert len(folders() - before) == 2


def test_processes_share_what_one_of_them_has_seen(
    plain, reach_frames, reach_spec, tmp_path
) -> None:
    config = with_backbone(plain, "llava_pythia", cache_features=True, seed=9, parts=2)
    train(reach_frames, reach_spec, config, tmp_path / "one")

    train(reach_frames, reach_spec, replace(config, processes=2), tmp_path / "two")

    assert curve(tmp_path / "two") == pytest.approx(curve(tmp_path / "one"), rel=1e-4)


def test_an_interrupted_run_may_go_on_with_or_without(
    plain, reach_frames, reach_spec, tmp_path
) -> None:
    class Interrupted(Exception):
        pass

    def stop(line):
        if line.step == 4:  # the state is two steps older
            raise Interrupted

    config = with_backbone(plain, "llava_pythia")
    train(reach_frames, reach_spec, config, tmp_path / "whole")
    kept = replace(config, cache_features=True)
    with pytest.raises(Interrupted):
        train(reach_frames, reach_spec, kept, tmp_path / "cut", on_progress=stop)

    train(reach_frames, reach_spec, config, tmp_path / "cut", resume=True)

    assert curve(tmp_path / "cut") == pytest.approx(curve(tmp_path / "whole"), rel=1e-5)


@pytest.mark.parametrize("change", [{"shift_px": 1}, {"jitter": 0.1}])
def test_pictures_that_are_augmented_are_refused(change, plain) -> None:
    with pytest.raises(ConfigError, match=r"cache_features=True needs pictures that stay .*0 \(--"):
        replace(plain, cache_features=True, **change)


def test_eyes_that_learn_are_refused(plain, reach_frames, reach_spec, tmp_path) -> None:
    config = with_backbone(plain, "llava_pythia", freeze_adapters=False, cache_features=True)

    with pytest.raises(ConfigError, match=r"eyes learn \(tower\..*lora_A.* Freeze them"):
        train(reach_frames, reach_spec, config, tmp_path / "adapters")
    with pytest.raises(ConfigError, match=r"the backbone's eyes learn"):
        train(reach_frames, reach_spec, replace(config, lora_rank=0), tmp_path / "all")


def test_a_backbone_that_reads_while_it_looks_is_refused(
    plain, reach_frames, reach_spec, tmp_path
) -> None:
    with pytest.raises(ConfigError, match="reads the sentence while it looks"):
        train(reach_frames, reach_spec, replace(plain, cache_features=True), tmp_path / "run")
