"""Tests for cli/distill.py."""

import json

import pytest

from tinyvla_gym.demonstrations import Plan, collect
from tinyvla_gym.envs.registration import REACH_ID
from tinyvla_gym.policies.load import load_policy

OPTIONS = {"cameras": {"top": 16}}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded") / "data"
    collect([REACH_ID], folder, Plan(episodes=2, horizon=60, linger=0), env_options=OPTIONS)
    return folder


@pytest.fixture
def teacher(cli, data, tmp_path):
    run = tmp_path / "teacher"
    answer = cli("train", "--preset", "tiny", "--data", data, "--out", run, "--steps", 2)
    assert answer.code == 0
    return run / "checkpoint"


def distill(teacher, data, out, *more):
    return ("distill", "--teacher", teacher, "--data", data, "--out", out, "--steps", "4", *more)


def test_a_policy_becomes_a_fast_one(cli, teacher, data, tmp_path) -> None:
    report = tmp_path / "last.json"

    answer = cli(*distill(teacher, data, tmp_path / "run", "--json", report))

    assert answer.code == 0
    assert "policy in" in answer.out
    assert json.loads(report.read_text())["step"] == 4
    student = load_policy(str(tmp_path / "run" / "checkpoint"))
    assert student.spec.name == "tiny-fast"


def test_mistakes_are_explained(cli, refused, teacher, data, tmp_path) -> None:
    assert cli(*distill(teacher, data, tmp_path / "run")).code == 0
    student = tmp_path / "run" / "checkpoint"

    assert "it holds a run; pass --resume" in refused(*distill(teacher, data, tmp_path / "run"))
    assert "looks must be at least 1" in refused(
        *distill(teacher, data, tmp_path / "other", "--looks", "0")
    )
    assert "plans in one go already" in refused(*distill(student, data, tmp_path / "other"))
    other = cli(*distill("nano-mt10", data, tmp_path / "other"))
    assert other.code == 1
    assert "nano-mt10 cannot drive dataset" in other.err
    assert "no bundled policy 'nanno'" in refused(*distill("nanno", data, tmp_path / "other"))
    assert not list((tmp_path / "other").iterdir())


def test_without_torch_the_remedy_is_told(refused, monkeypatch, teacher, data, tmp_path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tinyvla_gym.training.distilling", None)

    assert 'pip install "tinyvla-gym[tinyvla]"' in refused(*distill(teacher, data, tmp_path / "r"))
