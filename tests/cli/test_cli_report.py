"""Tests for cli/report.py."""

import json

import pytest
from fake_evaluations import a_task, some_results

from tinyvla_gym.evaluation.sweeps import SWEEP_FILE, Point, Sweep


@pytest.fixture
def found(tmp_path):
    """An evaluation with a film, and a sweep, on disk."""
    results = some_results([a_task("push", [False, True])])
    results.save(tmp_path / "found" / "results.json")
    (tmp_path / "found" / "videos").mkdir()
    (tmp_path / "found" / "videos" / "push.mp4").write_bytes(b"a film")
    points = (Point(label="1", results=results), Point(label="2", results=results))
    sweep = Sweep(name="replan", points=points)
    (tmp_path / "swept").mkdir()
    (tmp_path / "swept" / SWEEP_FILE).write_text(json.dumps(sweep.to_dict()))
    return tmp_path


def test_one_page_shows_the_evaluation_its_films_and_the_sweep(cli, found) -> None:
    settings = ("--sweeps", found / "swept", "--notes", "0.1 core-hours", "5 weights")

    answer = cli("report", found / "found", *settings, "--out", found / "page.html")

    assert answer.code == 0
    page = (found / "page.html").read_text()
    assert "<h1>nano on mt10</h1>" in page
    assert page.count("<video") == 1
    assert page.count("<polyline") == 1
    assert "<p>0.1 core-hours</p>" in page
    assert "<p>5 weights</p>" in page


def test_a_file_of_results_brings_its_films_and_others_must_be_there(cli, refused, found) -> None:
    line = ("report", found / "found" / "results.json", "--out", found / "page.html")

    assert cli(*line).code == 0
    assert (found / "page.html").read_text().count("<video") == 1
    assert "There is no folder of films" in refused(*line, "--videos", found / "viedos")


def test_what_is_not_there_or_damaged_is_named(refused, found) -> None:
    line = ("report", found / "found", "--out", found / "page.html", "--sweeps")

    assert "There is no sweep at" in refused(*line, found / "nowhere")
    for damaged in (
        "[]",
        '{"sweep": "replan", "points": {}}',
        '{"sweep": "x", "points": {"a": 1}}',
    ):
        (found / "swept" / SWEEP_FILE).write_text(damaged)
        assert "holds no sweep of ours" in refused(*line, found / "swept")
    assert not (found / "page.html").exists()
