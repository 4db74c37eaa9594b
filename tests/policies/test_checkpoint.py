"""Tests for policies/checkpoint.py, by what TinyVLAPolicy saves and loads through it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import an_observation
from tiny_models import CONFIG, SPEC, a_policy

from tinyvla_gym.errors import OutputError
from tinyvla_gym.policies.checkpoint import read_config, read_folder, write_folder
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy

SEEN = [an_observation(x_m=0.3, instruction="go"), an_observation(instruction="stop there")]
NOISE = np.random.default_rng(0).standard_normal((2, 8, 2), np.float32)
CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "checkpoint"
    a_policy(facts={"seed": 7}).save_pretrained(folder)
    return folder


def load(folder):
    return TinyVLAPolicy.from_pretrained(folder)


def plans(policy):
    return policy.plan_batch(SEEN, noise=NOISE)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_lost(saved) -> None:
    again = load(saved)

    np.testing.assert_array_equal(plans(again), plans(a_policy()))
    assert again.spec == SPEC
    assert again.config == CONFIG
    assert again.facts == {"seed": 7}
    assert again.normalizer.to_dict() == a_policy().normalizer.to_dict()
    assert not again.model.training


def test_a_second_generation_is_the_first(saved, tmp_path) -> None:
    load(saved).save_pretrained(tmp_path / "copy")

    for name in (CONFIG_FILE, WEIGHTS_FILE):
        assert (tmp_path / "copy" / name).read_bytes() == (saved / name).read_bytes()


def test_half_a_checkpoint_holds_rounded_weights_that_are_evaluated_in_float32(tmp_path) -> None:
    policy = a_policy()
    policy.save_pretrained(tmp_path / "half", half=True)
    policy.save_pretrained(tmp_path / "whole")

    again = load(tmp_path / "half")

    with torch.no_grad():
        for weight in policy.model.parameters():
            weight.copy_(weight.half().float())
    np.testing.assert_array_equal(plans(again), plans(policy))
    assert {weight.dtype for weight in again.model.parameters()} == {torch.float32}
    sizes = [(tmp_path / kind / WEIGHTS_FILE).stat().st_size for kind in ("half", "whole")]
    assert sizes[0] < 0.6 * sizes[1]


def test_a_checkpoint_is_two_files_and_nothing_beside_them(saved) -> None:
    assert names(saved) == [CONFIG_FILE, WEIGHTS_FILE]
    assert names(saved.parent) == ["checkpoint"]  # nothing is left beside it
    written = json.loads((saved / CONFIG_FILE).read_text())
    assert written["format_version"] == 1
    assert written["kind"] == "tinyvla"


def test_a_layout_in_memory_is_not_saved(tmp_path) -> None:
    policy = a_policy()
    wanted = plans(policy)
    policy.model.to(memory_format=torch.channels_last)

    policy.save_pretrained(tmp_path / "checkpoint")

    np.testing.assert_allclose(plans(load(tmp_path / "checkpoint")), wanted, atol=1e-5)


def test_weights_are_read_as_they_were_written(tmp_path) -> None:
    weights = {"a": torch.arange(3), "b": torch.tensor(0.5, dtype=torch.float16)}
    write_folder(tmp_path / "any", {"kind": "toy", "x": 1}, weights)

    config, again = read_folder(tmp_path / "any", kind="toy")

    assert config == {"format_version": 1, "kind": "toy", "x": 1} == read_config(tmp_path / "any")
    assert again.keys() == weights.keys()
    assert all(torch.equal(again[name], weights[name]) for name in weights)


def test_an_older_checkpoint_is_replaced(saved) -> None:
    a_policy(seed=1).save_pretrained(saved)

    np.testing.assert_array_equal(plans(load(saved)), plans(a_policy(seed=1)))
    assert names(saved.parent) == ["checkpoint"]


def test_missing_folders_are_made_and_an_empty_one_is_used(tmp_path) -> None:
    a_policy().save_pretrained(tmp_path / "a" / "b")
    (tmp_path / "empty").mkdir()

    a_policy().save_pretrained(str(tmp_path / "empty"))

    assert names(tmp_path / "a" / "b") == names(tmp_path / "empty")


PRECIOUS = {
    "a file": {"notes.txt": "mine"},
    "another program's config": {"config.json": '{"model_type": "gpt_neox"}'},
    "another model": {"config.json": '{"model_type": "gpt_neox"}', "model.safetensors": "?"},
    "a checkpoint with notes": {
        "config.json": '{"format_version": 1, "kind": "tinyvla"}',
        "notes.txt": "mine",
    },
    "a folder": {"config.json/notes.txt": "mine"},
}


@pytest.mark.parametrize("files", PRECIOUS.values(), ids=PRECIOUS)
def test_what_is_no_checkpoint_is_never_overwritten(files, tmp_path) -> None:
    for name, text in files.items():
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    with pytest.raises(OutputError, match="holds more than a checkpoint; choose another place"):
        a_policy().save_pretrained(tmp_path / "mine")

    assert {name: (tmp_path / "mine" / name).read_text() for name in files} == files
    assert names(tmp_path) == ["mine"]


def test_a_file_is_not_overwritten(tmp_path) -> None:
    (tmp_path / "mine").write_text("mine")

    with pytest.raises(OutputError, match="it is a file"):
        a_policy().save_pretrained(tmp_path / "mine")

    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("place", ["/proc/none/checkpoint", "{tmp}/file/checkpoint"])
def test_a_place_that_cannot_be_written_is_named(place, tmp_path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match=r"Cannot write to .*checkpoint"):
        a_policy().save_pretrained(place.format(tmp=tmp_path))


FULL_DISK = """
import resource, signal, sys
sys.path.insert(0, sys.argv[2])
from tiny_models import a_policy
from tinyvla_gym.errors import OutputError
policy = a_policy(seed=1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # config.json fits, the weights do not
try:
    policy.save_pretrained(sys.argv[1])
except OutputError as error:
    print(error)
"""


def test_a_disk_that_fills_up_leaves_the_older_checkpoint(saved) -> None:
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", FULL_DISK, str(saved), tests]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert "Cannot write to" in done.stdout, done.stderr
    np.testing.assert_array_equal(plans(load(saved)), plans(a_policy()))
    assert names(saved.parent) == ["checkpoint"]


def test_a_checkpoint_that_cannot_take_its_place_leaves_the_older_one(saved, monkeypatch) -> None:
    rename = Path.rename

    def stubborn(path, target):
        if ".new-" in path.name:
            raise PermissionError("not here")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", stubborn)

    with pytest.raises(OutputError, match="not here"):
        a_policy(seed=1).save_pretrained(saved)

    np.testing.assert_array_equal(plans(load(saved)), plans(a_policy()))
    assert names(saved.parent) == ["checkpoint"]


def test_what_a_killed_process_left_is_no_obstacle(saved, monkeypatch) -> None:
    monkeypatch.setattr("os.getpid", lambda: 1)
    for leftover in (".checkpoint.new-1", ".checkpoint.old-1"):
        (saved.parent / leftover).mkdir()
        (saved.parent / leftover / "model.safetensors").write_text("half")

    a_policy(seed=1).save_pretrained(saved)

    assert names(saved.parent) == ["checkpoint"]
    np.testing.assert_array_equal(plans(load(saved)), plans(a_policy(seed=1)))


def test_facts_that_json_cannot_hold_leave_nothing_behind(saved) -> None:
    with pytest.raises(TypeError):
        a_policy(facts={"when": object()}).save_pretrained(saved)

    np.testing.assert_array_equal(plans(load(saved)), plans(a_policy()))
    assert names(saved.parent) == ["checkpoint"]


def test_here_is_a_place_too(tmp_path, monkeypatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    a_policy().save_pretrained(".")

    assert names(tmp_path / "here") == [CONFIG_FILE, WEIGHTS_FILE]
