"""Tests for cli/train.py."""

import json
import os
import shutil

import pytest
import torch
import tyro

from tinyvla_gym.cli.learning import learn
from tinyvla_gym.cli.train import Train
from tinyvla_gym.demonstrations import Plan, collect
from tinyvla_gym.envs.registration import REACH_ID
from tinyvla_gym.policies.load import load_policy
from tinyvla_gym.policies.tinyvla.pretrained import save_backbone
from tinyvla_gym.training import team

OPTIONS = {"cameras": {"top": 16}}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded") / "data"
    plan = Plan(episodes=2, horizon=60, linger=0)
    collect([REACH_ID], folder, plan, env_options=OPTIONS)
    return folder


@pytest.fixture
def data(recorded, tmp_path):
    return shutil.copytree(recorded, tmp_path / "data")


def train(data, out, *more):
    return ("train", "--preset", "tiny", "--data", data, "--out", out, *more)


def test_a_dataset_becomes_a_policy(cli, data, tmp_path) -> None:
    out = tmp_path / "run"

    answer = cli(
        *train(data, out, "--steps", 2, "--name", "pupil", "--json", tmp_path / "log.json")
    )

    assert (answer.code, answer.err) == (0, "")
    assert "decoding the dataset: 2 of 2" in answer.out
    assert "training: 2 of 2" in answer.out
    assert load_policy(out / "checkpoint").spec.name == "pupil"
    assert json.loads((tmp_path / "log.json").read_text())["step"] == 2


@pytest.mark.parametrize("head", ["flow", "regression"])
def test_a_preset_is_trained_with_another_head(cli, data, tmp_path, head) -> None:
    assert cli(*train(data, tmp_path / "run", "--steps", 2, "--head", head)).code == 0

    policy = load_policy(tmp_path / "run" / "checkpoint")
    assert policy.config.head == head
    assert (policy.spec.noise_shape is None) == (head == "regression")


def test_a_run_is_not_overwritten_and_may_be_resumed(cli, refused, data, tmp_path) -> None:
    cli(*train(data, tmp_path / "run", "--steps", 2))

    assert "it holds a run; pass --resume" in refused(*train(data, tmp_path / "run", "--steps", 2))
    assert "other settings: " in refused(*train(data, tmp_path / "run", "--steps", 4, "--resume"))
    assert cli(*train(data, tmp_path / "run", "--steps", 2, "--resume")).code == 0
    assert (tmp_path / "run" / "checkpoint" / "config.json").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--preset", "nan"], "Did you mean 'nano'?"),
        (["--steps", "0"], "steps"),
        (["--processes", "0"], "processes must be at least 1, got 0"),
        (["--lora-rank", "-1"], "lora_rank must not be negative"),
        (["--start", "./nowhere"], "there is no such folder"),
        (["--head", "flwo"], "Did you mean 'flow'?"),
        (["--keep-adapters"], "keep_adapters needs adapters"),
        (["--device", "gpu"], "There is no device 'gpu' here. Choose one of: cpu"),
        (["--seed", "4294967296"], "seed must be below 4294967296"),
    ],
)
def test_a_mistake_is_explained(refused, data, tmp_path, arguments, complaint) -> None:
    assert complaint in refused(*train(data, tmp_path / "run", *arguments))


def test_the_last_line_of_a_finished_run_is_told_again(cli, data, tmp_path) -> None:
    told = []
    for again in ((), ("--resume",)):
        report = tmp_path / "log.json"
        given = train(data, tmp_path / "run", "--steps", 2, "--json", report, *again)
        assert cli(*given).code == 0
        told.append(json.loads(report.read_text()))
        report.unlink()

    assert told[0] == told[1]
    assert (told[0]["step"], told[0]["steps"], told[0]["eta_s"]) == (2, 2, 0)
    assert told[0]["loss"] > 0


def test_one_of_several_processes_says_how_it_ended(tmp_path, monkeypatch, capsys) -> None:
    def end():
        learn(tmp_path, tmp_path / "log.json", lambda *_: None, what="training", facts=str)

    monkeypatch.setattr(team, "launched_rank", lambda: 1)
    end()
    assert not (tmp_path / "log.json").exists()
    assert capsys.readouterr().out == ""

    monkeypatch.setattr(team, "launched_rank", lambda: 0)
    end()
    assert (tmp_path / "log.json").exists()
    assert "policy in" in capsys.readouterr().out


def test_a_backbone_to_start_from_gets_the_head_that_is_asked_for(cli, data, tmp_path) -> None:
    assert cli(*train(data, tmp_path / "first", "--steps", 2)).code == 0
    first = load_policy(tmp_path / "first" / "checkpoint")
    save_backbone(tmp_path / "base", "nano", first.config.backbone_options, first.model.backbone)

    given = ("--steps", 2, "--start", tmp_path / "base", "--head", "regression")
    assert cli(*train(data, tmp_path / "run", *given)).code == 0

    assert load_policy(tmp_path / "run" / "checkpoint").config.head == "regression"


def test_a_policy_to_start_from_keeps_its_eyes_under_another_head(cli, data, tmp_path) -> None:
    assert cli(*train(data, tmp_path / "first", "--steps", 2)).code == 0
    first = tmp_path / "first" / "checkpoint"
    given = ("--steps", 1, "--seed", 1, "--start", first, "--head", "regression")

    assert cli(*train(data, tmp_path / "run", *given)).code == 0

    before, after = load_policy(first), load_policy(tmp_path / "run" / "checkpoint")
    assert (before.config.head, after.config.head) == ("diffusion", "regression")
    assert after.spec.noise_shape is None
    eyes = after.model.backbone.state_dict()
    for name, weight in before.model.backbone.state_dict().items():
        assert torch.allclose(eyes[name], weight, atol=5e-3), name  # one step away, and rounded
    assert after.normalizer.to_dict() == before.normalizer.to_dict()


def test_a_policy_to_start_from_keeps_its_head_if_that_is_named(cli, data, tmp_path) -> None:
    for run, given in (
        ("first", ()),
        ("run", ("--seed", 1, "--start", tmp_path / "first" / "checkpoint")),
    ):
        head = ("--head", "regression", "--steps", 1)
        assert cli(*train(data, tmp_path / run, *head, *given)).code == 0

    before = load_policy(tmp_path / "first" / "checkpoint").model.head.state_dict()
    after = load_policy(tmp_path / "run" / "checkpoint").model.head.state_dict()
    assert all(torch.allclose(after[name], before[name], atol=5e-3) for name in before)


def test_adapters_are_kept_if_asked_for(cli, data, tmp_path) -> None:
    given = ("--steps", 2, "--lora-rank", 2)
    assert cli(*train(data, tmp_path / "run", *given)).code == 0
    saved = tmp_path / "run" / "checkpoint" / "config.json"
    assert "lora" not in json.loads(saved.read_text())

    assert cli(*train(data, tmp_path / "run", *given, "--resume", "--keep-adapters")).code == 0

    assert json.loads(saved.read_text())["lora"]["rank"] == 2


def test_a_run_has_no_place_below_a_file(refused, data, tmp_path) -> None:
    (tmp_path / "file").touch()

    assert "Cannot write to" in refused(*train(data, tmp_path / "file" / "run"))


def test_what_is_no_dataset_is_refused(refused, tmp_path) -> None:
    assert "there is no such folder" in refused(*train(tmp_path / "nowhere", tmp_path / "run"))
    assert "not a LeRobot dataset" in refused(*train(tmp_path, tmp_path / "run"))


@pytest.mark.parametrize("left_frac", [0.0, 0.5, 0.99])
def test_a_dataset_that_was_cut_short_is_refused(refused, data, tmp_path, left_frac) -> None:
    [path] = data.glob("data/*/*.parquet")
    os.truncate(path, int(left_frac * path.stat().st_size))

    told = refused(*train(data, tmp_path / "run"))

    assert f"The dataset {path} cannot be used" in told


def test_without_torch_the_remedy_is_told(refused, monkeypatch, data, tmp_path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tinyvla_gym.training.dataset", None)

    assert 'pip install "tinyvla-gym[tinyvla]"' in refused(*train(data, tmp_path / "run"))


def test_the_options_for_frozen_eyes_and_for_pieces_become_settings(recorded, tmp_path) -> None:
    options = ["--no-augment", "--cache-features", "--shard", "--processes", "2"]
    given = [str(one) for one in train(recorded, tmp_path / "run", *options)[1:]]

    config = tyro.cli(Train, args=given)._config()

    assert (config.shift_px, config.jitter, config.cache_features) == (0, 0.0, True)
    assert (config.shard, config.processes) == (True, 2)


def test_features_of_pictures_that_change_are_refused_with_the_remedy(
    refused, data, tmp_path
) -> None:
    assert "(--no-augment)" in refused(*train(data, tmp_path / "run", "--cache-features"))
    assert "accelerate launch" in refused(
        *train(data, tmp_path / "run", "--shard", "--processes", 2)
    )
    assert not (tmp_path / "run" / "train.json").exists()
