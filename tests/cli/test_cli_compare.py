"""Tests for cli/compare.py."""

import json

import pytest
from fake_evaluations import a_task, some_results


@pytest.fixture
def two(tmp_path):
    """Two evaluations on disk."""
    for name, solved in (("a", [False] * 30), ("b", [True] * 20 + [False] * 10)):
        (tmp_path / name).mkdir()
        some_results([a_task("push", solved)]).save(tmp_path / name / "results.json")
    return tmp_path / "a", tmp_path / "b"


def test_the_verdict_is_printed_and_written(cli, two, tmp_path) -> None:
    answer = cli("compare", *two, "--json", tmp_path / "found.json")

    assert answer.code == 0
    assert "settled at 95 %: B is better" in answer.out
    assert "0 of 30" in answer.out
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["only_a"], found["only_b"], found["pairs"]) == (0, 20, 30)
    assert found["difference"] == pytest.approx(2 / 3)


def test_what_is_not_there_is_named(refused, two) -> None:
    assert "There are no results at" in refused("compare", two[0], two[1] / "nowhere")
