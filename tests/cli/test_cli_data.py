"""Tests for cli/data/ and cli/view.py."""

import json

import pytest

from tinyvla_gym.cli.console import console
from tinyvla_gym.data.lerobot import Dataset


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Two demonstrations of the toy."""
    from tinyvla_gym.demonstrations import Plan, collect
    from tinyvla_gym.envs.registration import REACH_ID

    folder = tmp_path_factory.mktemp("recorded") / "data"
    plan = Plan(episodes=2, horizon=60, linger=0)
    collect([REACH_ID], folder, plan, env_options={"cameras": {"top": 8}})
    return folder


def test_info_and_stats_say_what_is_there(cli, recorded, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(console, "width", 160)  # whatever terminal the tests run in
    info = cli("data", "info", recorded, "--json", tmp_path / "info.json")
    stats = cli("data", "stats", recorded, "--json", tmp_path / "stats.json")

    assert (info.code, stats.code) == (0, 0)
    assert "2 episodes of 2 tasks, 2 solved" in info.out
    assert json.loads((tmp_path / "info.json").read_text())["episodes"] == 2
    assert "hand_x_m" in stats.out
    assert "action" in json.loads((tmp_path / "stats.json").read_text())["statistics"]


def test_datasets_are_merged_split_thinned_and_coded_anew(cli, recorded, tmp_path) -> None:
    for arguments, made in (
        (("merge", recorded, recorded, "--out", tmp_path / "m"), {"m": 4}),
        (("split", tmp_path / "m", "--out", tmp_path / "s", "--parts", "a=0.75", "b=0.25"),
         {"s/a": 3, "s/b": 1}),
        (("delete", tmp_path / "m", "--episodes", "1-2", "--out", tmp_path / "d"), {"d": 2}),
        (("reencode", recorded, "--codec", "av1", "--out", tmp_path / "r"), {"r": 2}),
    ):  # fmt: skip
        answer = cli("data", *arguments)

        assert (answer.code, answer.err) == (0, "")
        assert {name: len(Dataset(tmp_path / name)) for name in made} == made


@pytest.mark.parametrize("kind", ["hdf5", "minari"])
def test_what_is_exported_can_be_imported(cli, recorded, tmp_path, kind) -> None:
    out = cli("data", "export", recorded, "--format", kind, "--out", tmp_path / "x")
    place = tmp_path / "x" / ("data-v0" if kind == "minari" else "")
    back = cli("data", "import", place, "--format", kind, "--out", tmp_path / "back",
               "--control-hz", "20", "--write-mapping", tmp_path / "mapping.json")  # fmt: skip

    assert (out.code, back.code) == (0, 0)
    assert "lost: " in out.out
    assert Dataset(tmp_path / "back").interface == Dataset(recorded).interface
    assert json.loads((tmp_path / "mapping.json").read_text())["control_hz"] == 20


def test_a_sound_dataset_needs_no_repair(cli, recorded) -> None:
    answer = cli("data", "repair", recorded)

    assert (answer.code, answer.err) == (0, "")
    assert "2 episodes in" in answer.out


def test_a_page_is_written(cli, recorded, tmp_path) -> None:
    answer = cli("view", recorded, "--out", tmp_path / "page.html")

    assert answer.code == 0
    assert "2 of 2 episodes" in answer.out
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("info", "nowhere"), "there is no such folder"),
        (("delete", "nowhere", "--out", "x"), "Name episodes"),
        (("delete", "nowhere", "--episodes", "one", "--out", "x"), "ranges such as 5-9"),
        (("split", "nowhere", "--parts", "train", "--out", "x"), "such as train=0.9"),
        (("import", "nowhere"), "--write-mapping"),
        (("reencode", "nowhere", "--codec", "vhs", "--out", "x"), "h264 or av1"),
    ],
)
def test_a_users_mistake_is_explained(refused, arguments, complaint) -> None:
    assert complaint in refused("data", *arguments)
