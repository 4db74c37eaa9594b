"""Tests for cli/evaluate.py."""

import json

import pytest

from tinyvla_gym.cli import evaluate as module

EVALUATE = ("evaluate", "--policy", "expert", "--suite", "reach")


@pytest.fixture
def no_play(monkeypatch):
    """Whoever plays, fails."""

    def play(*arguments, **settings):
        raise AssertionError("it played before it looked")

    monkeypatch.setattr(module, "evaluate", play)


def test_results_a_page_and_films_are_written(cli, tmp_path) -> None:
    out = tmp_path / "new" / "out"

    answer = cli(*EVALUATE, "--episodes", 2, "--out", out, "--json", tmp_path / "copy.json")

    results = json.loads((out / "results.json").read_text())
    assert (answer.code, answer.err) == (0, "")
    assert results["tasks"]["toy-reach"]["successes"] == 2
    assert json.loads((tmp_path / "copy.json").read_text()) == results
    assert "data:video/mp4;base64," in (out / "report.html").read_text()
    assert (out / "videos" / "toy-reach.mp4").exists()
    assert "expert on reach: 2 of 2" in answer.out
    assert "toy-reach  reach the" in answer.out
    assert "2 of 2 episodes solved" in answer.out
    assert "protocol native, changed: episodes 2" in answer.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--suite", "mt100"], "Did you mean 'mt10'?"),
        (["--suite", "mt1:drawer-opne"], "Did you mean 'drawer-open'?"),
        (["--episodes", "0"], "episodes must be at least 1, got 0"),
        (["--parallel", "0"], "parallel must be at least 1"),
        (["--seed", "-1"], "seed must be at least 0"),
        (["--instructions", "none"], "There is no set of sentences 'none'"),
    ],
)
@pytest.mark.usefixtures("no_play")
def test_a_mistake_is_explained_before_anything_is_played(
    refused, tmp_path, arguments, complaint
) -> None:
    assert complaint in refused(*EVALUATE, *arguments, "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--workers", "0"], "workers must be at least 1"),
        (["--policy", "experrt"], "Did you mean 'expert'?"),
    ],
)
def test_what_a_worker_finds_out_is_explained_too(refused, tmp_path, arguments, complaint) -> None:
    assert complaint in refused(*EVALUATE, *arguments, "--out", tmp_path / "out")


@pytest.mark.usefixtures("no_play")
def test_results_of_before_are_not_lost(refused, tmp_path) -> None:
    (tmp_path / "results.json").write_text("hours of work")

    assert "choose another folder" in refused(*EVALUATE, "--out", tmp_path)
    assert (tmp_path / "results.json").read_text() == "hours of work"


@pytest.mark.usefixtures("no_play")
def test_a_folder_that_cannot_be_written_to_is_told_before_hours_of_playing(
    refused, tmp_path
) -> None:
    (tmp_path / "file").write_text("years of work")

    assert "Cannot write to" in refused(*EVALUATE, "--out", tmp_path / "file")
    assert "Cannot write to" in refused(*EVALUATE, "--out", tmp_path / "file" / "out")
    assert (tmp_path / "file").read_text() == "years of work"


def test_a_folder_with_other_things_is_fine(cli, tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("years of work")

    answer = cli(*EVALUATE, "--episodes", 1, "--no-videos", "--out", tmp_path)

    assert answer.code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "episodes.parquet",
        "notes.txt",
        "report.html",
        "results.json",
    ]


def test_a_sweep_leaves_a_folder_for_each_value_and_a_page(cli, tmp_path) -> None:
    sweep = ("evaluate", "--policy", "random", "--suite", "reach", "--sweep", "replan")
    rest = ("--episodes", 2, "--horizon", 5, "--no-videos", "--out", tmp_path)

    answer = cli(*sweep, *rest)

    assert answer.code == 0
    points = json.loads((tmp_path / "sweep.json").read_text())["points"]
    assert list(points) == ["1", "2", "4", "8"]
    assert points["4"]["protocol"]["execute"] == 4
    assert (tmp_path / "replan-4" / "results.json").exists()
    assert "<polyline" in (tmp_path / "report.html").read_text()


def test_a_finished_evaluation_is_not_played_again(cli, refused, tmp_path, monkeypatch) -> None:
    cli(*EVALUATE, "--episodes", 2, "--no-videos", "--out", tmp_path)
    monkeypatch.setattr(module, "evaluate", None)

    again = cli(*EVALUATE, "--episodes", 2, "--out", tmp_path, "--resume")

    assert again.code == 0
    assert "2 of 2 episodes solved" in again.out
    other = refused(*EVALUATE, "--episodes", 3, "--out", tmp_path, "--resume")
    assert "results under other conditions" in other
    monkeypatch.setattr(module, "policy_fingerprint", lambda _: "retrained")
    retrained = refused(*EVALUATE, "--episodes", 2, "--out", tmp_path, "--resume")
    assert "expert had other weights then; choose another folder" in retrained


@pytest.mark.usefixtures("no_play")
def test_other_peoples_sentences_must_be_named(refused, tmp_path) -> None:
    lerobot = ("--suite", "mt1:push", "--protocol", "lerobot")

    said = refused(
        *EVALUATE, *lerobot, "--sentences", tmp_path / "none.json", "--out", tmp_path / "out"
    )

    assert "holds no sentences" in said


def test_more_workers_than_cores_are_noted(cli, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("tinyvla_gym.cores.cores", lambda: 1)

    def play(workers):
        out = tmp_path / str(workers)
        options = ("--episodes", 1, "--no-videos", "--workers", workers, "--out", out)
        return cli("evaluate", "--policy", "random", "--suite", "reach", *options)

    assert "2 workers share 1 core" in play(2).err
    assert "share" not in play(1).err
