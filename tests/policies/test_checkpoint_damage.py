"""Tests for policies/checkpoint.py: checkpoints that are damaged, foreign, or a trap."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import a_policy

from tinyvla_gym.errors import CheckpointError
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "checkpoint"
    a_policy().save_pretrained(folder)
    return folder


def load(folder):
    return TinyVLAPolicy.from_pretrained(folder)


def change_config(folder, change):
    path = folder / CONFIG_FILE
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def change_weights(folder, change):
    weights = load_file(folder / WEIGHTS_FILE)
    change(weights)
    save_file(weights, folder / WEIGHTS_FILE)


@pytest.mark.parametrize("name", [CONFIG_FILE, WEIGHTS_FILE])
def test_a_missing_file_is_named(name, saved) -> None:
    (saved / name).unlink()

    with pytest.raises(CheckpointError, match=f"checkpoint .* cannot be used: it has no {name}"):
        load(saved)


@pytest.mark.parametrize("kept_frac", [0.0, 0.001, 0.3, 0.9, 0.9999])
@pytest.mark.parametrize("name", [CONFIG_FILE, WEIGHTS_FILE])
def test_a_file_that_is_cut_short_is_refused(name, kept_frac, saved) -> None:
    path = saved / name
    whole = path.read_bytes().rstrip()
    path.write_bytes(whole[: int(kept_frac * len(whole))])

    with pytest.raises(CheckpointError, match=f"{name} is damaged"):
        load(saved)


@pytest.mark.parametrize("kept_bytes", [1, 7, 8, 9, 100])
def test_weights_cut_within_their_header_are_refused(kept_bytes, saved) -> None:
    path = saved / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:kept_bytes])

    with pytest.raises(CheckpointError, match="damaged or cut short"):
        load(saved)


class Trap:
    """Unpickling it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("dump", [pickle.dump, torch.save], ids=["pickle", "torch"])
def test_a_pickle_is_refused_unopened(dump, saved, tmp_path) -> None:
    with (saved / WEIGHTS_FILE).open("wb") as file:
        dump(Trap(tmp_path / "sprung"), file)

    with pytest.raises(CheckpointError, match="damaged or cut short"):
        load(saved)

    assert not (tmp_path / "sprung").exists()


def test_another_kind_of_policy_is_refused(saved) -> None:
    change_config(saved, lambda config: config.update(kind="act"))

    with pytest.raises(CheckpointError, match="it holds a 'act' policy, not 'tinyvla'"):
        load(saved)


@pytest.mark.parametrize("version", [2, 0, -1, "1", None, [1], 1.5])
def test_another_format_is_refused(version, saved) -> None:
    change_config(saved, lambda config: config.update(format_version=version))

    with pytest.raises(CheckpointError, match=r"format version .* is not one of 1 to 1"):
        load(saved)


@pytest.mark.parametrize("text", ["[]", "null", '"nano"', "3"])
def test_a_config_that_is_no_table_is_refused(text, saved) -> None:
    (saved / CONFIG_FILE).write_text(text)

    with pytest.raises(CheckpointError, match="format version None"):
        load(saved)


MISFITS = {
    "no model": (lambda config: config.pop("model"), "has no 'model'"),
    "no spec": (lambda config: config.pop("spec"), "has no 'spec'"),
    "no normaliser": (lambda config: config.pop("normalizer"), "has no 'normalizer'"),
    "a model of one word": (lambda config: config.update(model="nano"), "does not fit"),
    "a spec without name": (lambda config: config["spec"].pop("name"), "missing: name"),
    "an interface without names": (
        lambda config: config["spec"]["interface"].pop("action"),
        "does not fit",
    ),
    "statistics of other entries": (
        lambda config: config["normalizer"]["state"].pop("tcp_x_m"),
        "statistics for tcp_y_m, the interface has tcp_x_m, tcp_y_m",
    ),
    "statistics without a number": (
        lambda config: config["normalizer"]["state"]["tcp_x_m"].pop("std"),
        "wants mean and std per state",
    ),
    "statistics in a list": (lambda config: config.update(normalizer=[]), "does not fit"),
    "an unknown backbone": (lambda config: config["model"].update(backbone="giga"), "'giga'"),
    "strange options": (
        lambda config: config["model"].update(backbone_options={"wings": 2}),
        "'wings'",
    ),
    "options in a list": (lambda config: config["model"].update(backbone_options=[]), "not fit"),
    "a longer promise": (lambda config: config["spec"].update(horizon=12), r"\(8, 2\).*\(12, 2\)"),
    "other noise": (lambda config: config["spec"].update(noise_shape=[4, 2]), r"says \(4, 2\)"),
    "facts that are none": (lambda config: config.update(facts="none"), "does not fit"),
}


@pytest.mark.parametrize(("change", "complaint"), MISFITS.values(), ids=MISFITS)
def test_a_config_that_does_not_fit_is_refused(change, complaint, saved) -> None:
    change_config(saved, change)

    with pytest.raises(CheckpointError, match=complaint):
        load(saved)


NAME = "norm.weight"
STRANGE = {
    "missing": (lambda weights: weights.pop(NAME), f"missing weights: {NAME}; unexpected"),
    "unexpected": (
        lambda weights: weights.update(wings=torch.ones(2)),
        "unexpected weights: wings; misshaped weights: none",
    ),
    "misshaped": (
        lambda weights: weights.update({NAME: torch.ones(3)}),
        rf"misshaped weights: {NAME} \(3,\) instead of \(32,\)",
    ),
    "another model's": (lambda weights: weights.clear(), r"missing weights: .*, \d+ more"),
}


@pytest.mark.parametrize(("change", "complaint"), STRANGE.values(), ids=STRANGE)
def test_weights_that_do_not_fit_are_named(change, complaint, saved) -> None:
    change_weights(saved, change)

    with pytest.raises(CheckpointError, match=complaint):
        load(saved)


def test_a_wider_models_weights_are_refused(saved) -> None:
    change_config(saved, lambda config: config["model"]["backbone_options"].update(width=64))

    with pytest.raises(CheckpointError, match="misshaped weights"):
        load(saved)
