"""Tests for cli/collect.py."""

import json

import pytest

from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.envs.registration import REACH_ID

COLLECT_TWO = ("collect", "reach-toy", "--episodes", 2, "--horizon", 60, "--linger", 0)


def test_a_dataset_and_its_counts_are_written(cli, tmp_path) -> None:
    answer = cli(*COLLECT_TWO, "--out", tmp_path / "data", "--json", tmp_path / "counts.json")

    facts = json.loads((tmp_path / "counts.json").read_text())
    assert (answer.code, answer.err) == (0, "")
    assert len(Dataset(tmp_path / "data")) == 2
    assert facts == {"episodes": 2, "attempts": {REACH_ID: [2, 2]}}
    assert f"{REACH_ID}: 2 demonstrations of 2 attempts" in answer.out
    assert "writing the dataset: 2 of 2" in answer.out
    assert f"2 episodes in {tmp_path / 'data'}" in answer.out


def test_cameras_can_be_chosen(cli, tmp_path) -> None:
    answer = cli(*COLLECT_TWO, "--cameras", "front", 20, "top", 8, "--out", tmp_path / "data")

    assert (answer.code, answer.err) == (0, "")
    cameras = Dataset(tmp_path / "data").interface.cameras
    assert [(one.name, one.height, one.width) for one in cameras] == [
        ("front", 20, 20),
        ("top", 8, 8),
    ]


def test_an_interrupted_collection_goes_on(cli, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("tinyvla_gym.data.lerobot.writer.merge", interrupt)
    broken = cli(*COLLECT_TWO, "--out", tmp_path / "data")
    monkeypatch.undo()

    resumed = cli(*COLLECT_TWO, "--out", tmp_path / "data", "--resume")

    assert (broken.code, resumed.code) == (130, 0)
    assert "--resume" in broken.err
    assert Dataset(tmp_path / "data").seeds == (0, 1)


def test_two_workers_record_the_same(cli, tmp_path) -> None:
    cli(*COLLECT_TWO, "--out", tmp_path / "one")
    answer = cli(*COLLECT_TWO, "--workers", 2, "--out", tmp_path / "two")

    assert (answer.code, answer.err) == (0, "")
    one, two = Dataset(tmp_path / "one"), Dataset(tmp_path / "two")
    assert one.fingerprint() == two.fingerprint()


def interrupt(*arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["drawer-opne"], "Did you mean 'drawer-open'?"),
        (["CartPole-v1"], "CartPole-v1"),
        ([], "Name at least one env"),
        ([REACH_ID, "reach"], "does not fit TinyVLA/Reach-v0"),
        ([REACH_ID, "--instructions", "held-out"], "Did you mean 'heldout'?"),
        ([REACH_ID, "--horizon", "1", "--episodes", "1"], "lower the noise, raise the horizon"),
        ([REACH_ID, "--episodes", "0"], "episodes must be at least 1, got 0"),
        ([REACH_ID, "--seed", "1000000"], "Demonstrations take seeds from 0 to 99999"),
        ([REACH_ID, "--cameras", "back", "8"], "no camera 'back'"),
        (["drawer-open", "--profile", "fast-3"], "Did you mean 'fast-2'?"),
        ([REACH_ID, "--noisy-frac", "1.5"], "noisy_frac must be from 0 to 1"),
    ],
)
def test_a_mistake_is_explained(refused, tmp_path, arguments, complaint) -> None:
    assert complaint in refused("collect", *arguments, "--out", tmp_path / "data")


def test_a_folder_in_use_is_left_alone(refused, tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("years of work")

    assert "not empty" in refused(*COLLECT_TWO, "--out", tmp_path)
    assert "Cannot write to" in refused(*COLLECT_TWO, "--out", tmp_path / "notes.txt")
    assert "Cannot write to" in refused(*COLLECT_TWO, "--out", tmp_path / "notes.txt" / "data")
    assert (tmp_path / "notes.txt").read_text() == "years of work"
