"""Tests for policies/load.py."""

import json
import subprocess
import sys

import huggingface_hub
import numpy as np
import pytest
from fakes import an_observation
from tiny_models import a_policy

from tinyvla_gym.errors import CheckpointError, UnknownNameError
from tinyvla_gym.policies import load
from tinyvla_gym.policies.load import bundled, load_policy

NOISE = np.zeros((1, 8, 2), np.float32)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("load") / "checkpoint"
    a_policy().save_pretrained(folder)
    return folder


def is_ours(policy):
    wanted, got = (p.plan_batch([an_observation()], noise=NOISE) for p in (a_policy(), policy))
    return np.array_equal(wanted, got)


def test_a_folder_is_loaded_by_its_path(saved, monkeypatch) -> None:
    monkeypatch.chdir(saved.parent)

    for where in (saved, str(saved), "./checkpoint", "checkpoint", "checkpoint/"):
        assert is_ours(load_policy(where)), where


def test_a_bundled_policy_is_loaded_by_its_name(saved, monkeypatch) -> None:
    monkeypatch.setattr(load, "BUNDLED", saved.parent)

    assert bundled() == ["checkpoint"]
    assert is_ours(load_policy("checkpoint"))


def test_an_unknown_name_gets_a_suggestion(saved, monkeypatch) -> None:
    monkeypatch.setattr(load, "BUNDLED", saved.parent)

    with pytest.raises(UnknownNameError) as failure:
        load_policy("chekpoint")

    assert str(failure.value) == (
        "There is no bundled policy 'chekpoint'. Did you mean 'checkpoint'?\nKnown: checkpoint."
    )


@pytest.mark.parametrize("where", ["./gone", "/gone/checkpoint", "~/gone", "runs/nano/checkpoint"])
def test_a_folder_that_is_not_there_is_named(where) -> None:
    with pytest.raises(CheckpointError, match=f"checkpoint {where} .*: there is no such folder"):
        load_policy(where)


def test_a_folder_without_a_checkpoint_is_named(tmp_path) -> None:
    with pytest.raises(CheckpointError, match=r"it has no config\.json"):
        load_policy(tmp_path)


def test_a_hub_id_is_fetched_once_and_only_what_is_needed(saved, monkeypatch) -> None:
    asked = []

    def fetch(hub_id, allow_patterns):
        asked.append((hub_id, allow_patterns))
        return str(saved)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)

    assert is_ours(load_policy("somebody/fetched-once"))
    assert is_ours(load_policy("somebody/fetched-once"))
    assert asked == [("somebody/fetched-once", ["*.json", "*.safetensors", "*.onnx", "*.md"])]


@pytest.mark.parametrize("problem", [OSError("no network"), ValueError("no such repository")])
def test_a_hub_that_fails_is_a_checkpoint_error_and_may_be_asked_again(
    problem, saved, monkeypatch
) -> None:
    answers = iter([problem, str(saved)])

    def fetch(hub_id, allow_patterns):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    hub_id = f"somebody/{type(problem).__name__}"

    with pytest.raises(
        CheckpointError, match=f"{hub_id} .*cannot be fetched from the hub: {problem}"
    ):
        load_policy(hub_id)
    assert is_ours(load_policy(hub_id))


def test_something_that_is_no_hub_id_is_refused_without_a_network() -> None:
    with pytest.raises(CheckpointError, match="cannot be fetched from the hub"):
        load_policy("not a/hub id")


@pytest.mark.parametrize("kind", ["act", None, ["tinyvla"], {}])
def test_a_policy_of_unknown_kind_is_refused(kind, tmp_path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"format_version": 1, "kind": kind}))

    with pytest.raises(CheckpointError, match="it holds a policy of unknown kind"):
        load_policy(tmp_path)


WITHOUT = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in sys.argv[2:]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
from tinyvla_gym.errors import MissingExtraError
from tinyvla_gym.policies.load import load_policy
try:
    load_policy(sys.argv[1])
except MissingExtraError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("where", "lacking", "part"),
    [
        ("folder", ["torch"], "A tinyvla policy"),
        ("folder", ["safetensors"], "A tinyvla policy|Reading a checkpoint"),
        ("somebody/something", ["huggingface_hub"], "Loading from the hub"),
    ],
)
def test_what_must_be_installed_is_said(where, lacking, part, saved) -> None:
    where = str(saved) if where == "folder" else where
    command = [sys.executable, "-c", WITHOUT, where, *lacking]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    said = done.stdout.strip()
    assert said.endswith('needs an optional part; run: pip install "tinyvla-gym[tinyvla]"'), (
        done.stderr
    )
    assert any(said.startswith(one) for one in part.split("|"))
