"""Tests for training/loop.py on demonstrations of the toy; more are in test_resume.py."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_models import a_model
from training_runs import LINES, killed_after, log, losses, same_weights, weights

from tinyvla_gym.errors import ConfigError, OutputError
from tinyvla_gym.policies.tinyvla.lora import add_lora
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.training.device import check_device
from tinyvla_gym.training.ema import Ema
from tinyvla_gym.training.foresight import Learner
from tinyvla_gym.training.logbook import COLUMNS
from tinyvla_gym.training.loop import train
from tinyvla_gym.training.rates import learning_share, weight_groups


def test_the_loss_falls(reach_frames, reach_spec, settings, tmp_path) -> None:
    longer = replace(
        settings,
        steps=80,
        batch_size=16,
        draws=8,
        learning_rate=3e-3,
        log_every=20,
        save_every=80,
    )
    lines = []

    train(reach_frames, reach_spec, longer, tmp_path / "run", on_progress=lines.append)

    assert [line.step for line in lines] == [20, 40, 60, 80]
    assert lines[-1].loss < 0.75 * lines[0].loss
    assert all(np.isfinite(line.gradient_norm) for line in lines)


def test_a_run_leaves_its_settings_log_events_state_and_checkpoint(finished, settings) -> None:
    assert {path.name for path in finished.iterdir()} == {
        "train.json",
        "log.csv",
        "tensorboard",
        "state.safetensors",
        "checkpoint",
    }
    assert json.loads((finished / "train.json").read_text())["steps"] == settings.steps
    assert any((finished / "tensorboard").iterdir())


def test_the_log_has_a_line_every_so_many_steps(finished, settings) -> None:
    rows = log(finished)

    assert tuple(rows[0]) == COLUMNS
    assert [int(row["step"]) for row in rows] == LINES
    for row in rows:
        share = learning_share(int(row["step"]) - 1, settings)
        assert float(row["learning_rate"]) == share * settings.learning_rate
        assert float(row["samples_per_s"]) > 0
        assert 0 <= float(row["data_wait_frac"]) <= 1


def test_progress_says_how_long_it_will_take(reach_frames, reach_spec, settings, tmp_path) -> None:
    lines = []

    train(reach_frames, reach_spec, settings, tmp_path / "run", on_progress=lines.append)

    assert [(line.step, line.steps) for line in lines] == [(step, 12) for step in LINES]
    assert lines[-1].eta_s == 0
    for line in lines:
        pace_s = settings.batch_size / line.samples_per_s
        assert line.eta_s == pytest.approx((12 - line.step) * pace_s)


def test_a_rest_of_steps_gets_a_line_too(reach_frames, reach_spec, settings, tmp_path) -> None:
    odd = replace(settings, steps=5)

    train(reach_frames, reach_spec, odd, tmp_path / "run")

    assert [int(row["step"]) for row in log(tmp_path / "run")] == [2, 4, 5]


def test_equal_settings_give_equal_runs_and_another_seed_another(
    finished, reach_frames, reach_spec, settings, tmp_path
) -> None:
    torch.manual_seed(12345)  # nobody's business

    train(reach_frames, reach_spec, settings, tmp_path / "again")
    train(reach_frames, reach_spec, replace(settings, seed=1), tmp_path / "other")

    assert losses(tmp_path / "again") == losses(finished)
    assert same_weights(tmp_path / "again", finished)
    assert losses(tmp_path / "other") != losses(finished)


def test_what_is_returned_is_what_was_saved(reach_frames, reach_spec, settings, tmp_path) -> None:
    policy = train(reach_frames, reach_spec, settings, tmp_path / "run", facts={"note": "x"})

    again = TinyVLAPolicy.from_pretrained(tmp_path / "run" / "checkpoint")

    saved = weights(tmp_path / "run")
    assert {tensor.dtype for tensor in saved.values()} == {torch.float16}
    for one in (policy, again):
        ours = one.model.state_dict()
        assert all(torch.equal(ours[name], saved[name].float()) for name in saved)
        assert one.facts == {"note": "x"}
        assert one.spec == reach_spec


def test_the_averaged_weights_are_the_ones_that_are_kept(finished) -> None:
    kept = load_file(finished / "state.safetensors")

    for name, tensor in weights(finished).items():
        assert torch.equal(tensor, kept[f"ema.model.{name}"].half())
    assert any(
        not torch.equal(kept[f"ema.model.{name}"], kept[f"model.model.{name}"])
        for name in weights(finished)
    )


def test_the_averages_warm_up_follows_the_steps(
    reach_frames, reach_spec, settings, tmp_path, monkeypatch
) -> None:
    seen = []
    monkeypatch.setattr(Ema, "update", lambda _ema, _model, step: seen.append(step))

    train(reach_frames, reach_spec, replace(settings, steps=3), tmp_path / "run")

    assert seen == [0, 1, 2]


def test_a_run_is_not_overwritten(finished, reach_frames, reach_spec, settings) -> None:
    before = (finished / "log.csv").read_text()

    with pytest.raises(OutputError, match="it holds a run; pass --resume or choose another"):
        train(reach_frames, reach_spec, settings, finished)

    assert (finished / "log.csv").read_text() == before


def test_a_place_that_cannot_be_written_is_named(
    reach_frames, reach_spec, settings, tmp_path
) -> None:
    (tmp_path / "file").write_text("")

    for run in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(OutputError, match="Cannot write to"):
            train(reach_frames, reach_spec, settings, run)


def test_a_mistake_in_the_spec_is_found_before_the_run_begins(
    reach_frames, reach_spec, settings, tmp_path
) -> None:
    with pytest.raises(ConfigError, match="noise_shape says None"):
        train(reach_frames, replace(reach_spec, noise_shape=None), settings, tmp_path / "run")

    assert not (tmp_path / "run").exists()


def curve(run):
    return [float(row["loss"]) for row in log(run)]


@pytest.mark.parametrize("head", ["act", "diffusion", "flow", "one_step"])
def test_the_loss_curve_is_the_same_however_a_batch_is_cut(
    head, reach_frames, reach_spec, settings, tmp_path
) -> None:
    model = replace(settings.model, head=head)
    spec = replace(reach_spec, noise_shape=model.noise_shape(reach_spec.interface))
    for parts in (1, 4):
        config = replace(settings, steps=6, model=model, parts=parts)
        train(reach_frames, spec, config, tmp_path / str(parts))

    np.testing.assert_allclose(curve(tmp_path / "4"), curve(tmp_path / "1"), rtol=1e-5)


def test_two_processes_learn_what_one_does(
    finished, reach_frames, reach_spec, settings, tmp_path
) -> None:
    train(reach_frames, reach_spec, replace(settings, processes=2), tmp_path / "run")

    np.testing.assert_allclose(curve(tmp_path / "run"), curve(finished), rtol=1e-4)


def test_with_adapters_what_is_learnt_depends_on_no_process_either(
    reach_frames, reach_spec, settings, tmp_path
) -> None:
    """Their dropout draws for each part, whoever takes it."""
    config = replace(settings, lora_rank=2, parts=2)

    for processes in (1, 2):
        run = tmp_path / str(processes)
        train(reach_frames, reach_spec, replace(config, processes=processes), run)

    np.testing.assert_allclose(curve(tmp_path / "2"), curve(tmp_path / "1"), rtol=1e-4)


def test_dropout_and_noise_have_streams_of_their_own(
    reach_frames, reach_spec, settings, tmp_path, monkeypatch
) -> None:
    dropout, noise = [], []
    learn = Learner.loss

    def noted(learner, batch, *, draws, generator):
        dropout.append(torch.initial_seed())
        noise.append(generator.initial_seed())
        return learn(learner, batch, draws=draws, generator=generator)

    monkeypatch.setattr(Learner, "loss", noted)

    train(reach_frames, reach_spec, replace(settings, parts=2), tmp_path / "run")

    assert len(set(dropout)) == 2 * settings.steps
    assert len(set(noise)) == settings.steps
    assert set(dropout).isdisjoint(noise)


def test_a_device_that_is_not_there_is_refused(
    reach_frames, reach_spec, settings, tmp_path, monkeypatch
) -> None:
    def refusal(device):
        with pytest.raises(ConfigError) as caught:
            train(reach_frames, reach_spec, settings, tmp_path / "run", device=device)
        return str(caught.value)

    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    for name in ("gpu", "cuda:2", "meta", "mps", "cpu 0"):
        told = f"There is no device {name!r} here. Choose one of: cpu, cuda:0, cuda:1."
        assert refusal(name) == told
    for name in ("cuda", "cuda:1", "cpu"):
        check_device(name)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: None)
    assert refusal("cuda") == "There is no device 'cuda' here. Choose one of: cpu."
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_with_other_processes_parts_and_lines(
    finished, reach_frames, reach_spec, settings, tmp_path
) -> None:
    killed_after(10, reach_frames, reach_spec, settings, tmp_path / "run")

    others = replace(settings, processes=2, parts=4, log_every=1, save_every=4)
    train(reach_frames, reach_spec, others, tmp_path / "run", resume=True)

    assert [int(row["step"]) for row in log(tmp_path / "run")] == [2, 4, 6, 8, 9, 10, 11, 12]
    by_two = np.array(curve(tmp_path / "run")[4:]).reshape(2, 2).mean(1)
    np.testing.assert_allclose(by_two, curve(finished)[4:], rtol=1e-4)


def test_adapters_and_the_rest_have_peaks_of_their_own(reach_frames, settings) -> None:
    config = replace(settings, lora_rank=2, learning_rate=2.0, head_rate=0.5)
    model = a_model()
    add_lora(model, rank=2, alpha=4.0)

    adapters, others = weight_groups(model, config)

    names = {id(weight): name for name, weight in model.named_parameters()}
    assert (adapters["peak"], others["peak"]) == (2.0, 0.5)
    assert all(".lora_" in names[id(weight)] for weight in adapters["params"])
    assert not any(".lora_" in names[id(weight)] for weight in others["params"])
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    assert len(adapters["params"]) + len(others["params"]) == len(trained)
    [alone] = weight_groups(model, replace(config, head_rate=None))
    assert len(alone["params"]) == len(trained)


def test_the_learning_rate_climbs_and_falls(settings) -> None:
    config = replace(settings, steps=1_000, warmup_steps=100)

    rates = np.array([learning_share(step, config) for step in range(1_000)])

    assert rates[0] == pytest.approx(0.01)
    assert rates.argmax() in (99, 100)
    assert rates[99] == rates[100] == pytest.approx(1.0)
    assert rates[550] == pytest.approx(0.5)
    assert 0 < rates[-1] < 1e-4
    assert (np.diff(rates[:100]) > 0).all()
    assert (np.diff(rates[100:]) < 0).all()


def test_a_run_without_warm_up_begins_at_the_peak(settings) -> None:
    config = replace(settings, warmup_steps=0)

    assert learning_share(0, config) == 1.0
