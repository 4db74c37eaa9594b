"""Tests for training/state.py: a state that is damaged or of another run."""

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tinyvla_gym.errors import CheckpointError, OutputError
from tinyvla_gym.training import state
from tinyvla_gym.training.loop import train


@pytest.fixture
def broken_run(finished, tmp_path):
    """A copy of the finished run without its checkpoint."""
    run = tmp_path / "run"
    run.mkdir()
    for name in ("train.json", "log.csv", "state.safetensors"):
        (run / name).write_bytes((finished / name).read_bytes())
    return run


@pytest.mark.parametrize("kept_frac", [0.0, 0.0001, 0.5, 0.999])
def test_a_state_that_is_cut_short_is_refused(
    kept_frac, broken_run, reach_frames, reach_spec, settings
) -> None:
    path = broken_run / "state.safetensors"
    path.write_bytes(path.read_bytes()[: int(kept_frac * path.stat().st_size)])

    with pytest.raises(CheckpointError, match=r"state\.safetensors .* cannot be resumed from it"):
        train(reach_frames, reach_spec, settings, broken_run, resume=True)


SPOILED = {
    "no step": (lambda tensors: None, {}),
    "a step in words": (lambda tensors: None, {"step": "twelve"}),
    "a missing weight": (lambda tensors: tensors.pop("model.model.norm.weight"), {"step": "4"}),
    "a missing average": (lambda tensors: tensors.pop("ema.model.norm.weight"), {"step": "4"}),
    "another model's": (
        lambda tensors: tensors.update({"model.model.norm.weight": torch.ones(3)}),
        {"step": "4"},
    ),
    "another optimiser's": (
        lambda tensors: tensors.update({"optimizer.0.exp_avg": torch.ones(3)}),
        {"step": "4"},
    ),
    "a moment of nobody": (
        lambda tensors: tensors.update({"optimizer.x.exp_avg": torch.ones(3)}),
        {"step": "4"},
    ),
}


@pytest.mark.parametrize(("spoil", "metadata"), SPOILED.values(), ids=SPOILED)
def test_a_state_that_does_not_fit_is_refused(
    spoil, metadata, broken_run, reach_frames, reach_spec, settings
) -> None:
    path = broken_run / "state.safetensors"
    tensors = load_file(path)
    spoil(tensors)
    save_file(tensors, path, metadata=metadata)

    with pytest.raises(CheckpointError, match="cannot be resumed from it"):
        train(reach_frames, reach_spec, settings, broken_run, resume=True)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_settings_that_cannot_be_read_are_refused(
    text, broken_run, reach_frames, reach_spec, settings
) -> None:
    (broken_run / "train.json").write_text(text)

    with pytest.raises(CheckpointError, match=r"train\.json is damaged"):
        train(reach_frames, reach_spec, settings, broken_run, resume=True)


@pytest.mark.parametrize("problem", [OSError("disk full"), SafetensorError("disk full")])
def test_a_state_that_cannot_be_written_is_named(
    problem, reach_frames, reach_spec, settings, tmp_path, monkeypatch
) -> None:
    def fail(*_given, **_named):
        raise problem

    monkeypatch.setattr(state, "save_file", fail)

    with pytest.raises(OutputError, match=r"Cannot write to .*state\.safetensors: disk full"):
        train(reach_frames, reach_spec, settings, tmp_path / "run")


def test_a_state_that_is_no_file_is_refused(broken_run, reach_frames, reach_spec, settings) -> None:
    (broken_run / "state.safetensors").unlink()
    (broken_run / "state.safetensors").mkdir()

    with pytest.raises(CheckpointError, match="cannot be resumed from it"):
        train(reach_frames, reach_spec, settings, broken_run, resume=True)
