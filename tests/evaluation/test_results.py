"""Tests for evaluation/results.py."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fake_evaluations import PROTOCOL, a_task, an_outcome, some_results

from tinyvla_gym.errors import ConfigError, OutputError
from tinyvla_gym.evaluation.protocols import Protocol
from tinyvla_gym.evaluation.results import Results
from tinyvla_gym.evaluation.statistics import wilson_interval
from tinyvla_gym.evaluation.suites import TIERS
from tinyvla_gym.evaluation.task_result import TaskResult

HASH = Protocol.from_dict(PROTOCOL).hash


def test_a_task_counts_its_episodes() -> None:
    result = a_task("drawer-open", [True, False, True, True], plans_ms=(20.0, 24.0, 90.0))

    assert (result.successes, result.episodes, result.rate) == (3, 4, 0.75)
    assert result.wilson95 == wilson_interval(3, 4)
    assert result.sentence == "open the drawer"
    assert result.mean_steps == 40
    assert result.plan_ms == 24.0  # the median: the first plan is slow


def test_without_plans_there_is_no_time_per_plan() -> None:
    assert a_task("drawer-open", [True], plans_ms=()).plan_ms is None


def test_an_evaluation_adds_up_its_tasks() -> None:
    results = some_results([a_task("a", [True] * 3), a_task("b", [False])])

    assert (results.successes, results.episodes, results.horizon) == (3, 4, 500)
    assert results.task_average == 0.5  # of tasks, not of episodes


def everywhere(solved_tiers):
    return [a_task(task, [tier in solved_tiers]) for tier, tasks in TIERS.items() for task in tasks]


def test_the_tier_average_weighs_tiers_equally() -> None:
    results = some_results(everywhere({"easy"}))

    assert results.tiers == {"easy": 1.0, "medium": 0.0, "hard": 0.0, "very_hard": 0.0}
    assert results.tier_average == 0.25
    assert results.task_average == pytest.approx(28 / 50)


def test_a_tier_that_lacks_a_task_has_no_rate() -> None:
    results = some_results([one for one in everywhere({"hard"}) if one.task != "assembly"])

    assert set(results.tiers) == {"easy", "medium", "very_hard"}
    assert results.tier_average is None


def test_every_tier_is_said_with_all_its_conditions() -> None:
    lines = some_results(everywhere({"easy", "hard"})).summary()

    low, high = (100 * bound for bound in wilson_interval(34, 50))
    half = [100 * bound for bound in wilson_interval(25, 50)]
    assert lines == [
        f"tier average 50.0 % ({half[0]:.1f} to {half[1]:.1f}): "
        "easy 100.0 % (87.9 to 100.0), medium 0.0 % (0.0 to 25.9), "
        "hard 100.0 % (61.0 to 100.0), very_hard 0.0 % (0.0 to 43.4)",
        f"task average 68.0 % ({low:.1f} to {high:.1f}); 34 of 50 episodes solved",
        "policy nano, protocol native, changed: instructions heldout, episodes 2 "
        f"({HASH}), proprio track, suite mt10, 2 episodes per task, seeds from 1000000, at "
        "most 500 control steps, heldout sentences, one training seed, 73 s",
    ]


def test_results_are_read_back_as_they_were(tmp_path) -> None:
    results = some_results([a_task("drawer-open", [True, False]), a_task("push", [False, False])])
    results.save(tmp_path / "results.json")

    assert Results.load(tmp_path) == Results.load(tmp_path / "results.json") == results


@pytest.mark.parametrize("name", ["nano-mt10", "nano-mt10-opposites"])
def test_results_of_format_1_are_still_read(name) -> None:
    path = Path(__file__).parents[2] / "docs" / "results" / f"{name}.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    if facts["format_version"] != 1:
        pytest.skip("it has been measured anew since")

    results = Results.load(path)

    assert results.successes == facts["successes"]
    assert results.tasks.keys() == facts["tasks"].keys()
    assert results.conditions.name == "native"


SPOILED = {
    "not there": (None, "There are no results"),
    "not JSON": ("{", "holds no results of ours"),
    "something else": ('{"format_version": 2}', "holds no results of ours"),
    "a list": ("[]", "holds no results of ours"),
    "from the future": ('{"format_version": 3}', "format 3; this release reads 1 and 2"),
}


@pytest.mark.parametrize(("text", "complaint"), SPOILED.values(), ids=SPOILED.keys())
def test_what_cannot_be_read_is_named(text, complaint, tmp_path) -> None:
    if text is not None:
        (tmp_path / "results.json").write_text(text)

    with pytest.raises(ConfigError, match=complaint):
        Results.load(tmp_path)


@pytest.mark.parametrize("part", ["tasks", "protocol"])
def test_an_evaluation_of_nothing_is_none(part, tmp_path) -> None:
    facts = some_results([a_task("push", [True])]).to_dict()
    (tmp_path / "results.json").write_text(json.dumps({**facts, part: {}}))

    with pytest.raises(ConfigError, match="holds no results of ours"):
        Results.load(tmp_path)


@pytest.mark.parametrize(
    ("trainings", "words"),
    [(1, "one training seed"), (2, "only two training seeds"), (3, "3 training seeds")],
)
def test_one_training_is_no_more_than_one(trainings, words) -> None:
    assert replace(some_results([a_task("a", [True])]), trainings=trainings).trained == words


def test_steps_to_success_leave_failures_out() -> None:
    outcomes = [an_outcome(steps=30), an_outcome(steps=40), an_outcome(solved=False, steps=500)]
    result = TaskResult.from_outcomes(
        "a", outcomes, horizon=500, plans_ms=(), seconds=1.0, jerks_m_s3=(2.0, 4.0, None)
    )

    assert result.steps_to_success == 35
    assert result.jerk_m_s3 == 3.0


def test_what_was_not_trained_has_no_training_seed() -> None:
    [_, conditions] = some_results([a_task("a", [True])], policy="expert").summary()

    assert "training seed" not in conditions


def test_the_file_says_everything_in_plain_json(tmp_path) -> None:
    results = some_results([a_task("drawer-open", [True, False]), a_task("push", [False, False])])

    results.save(tmp_path / "results.json")

    read = json.loads((tmp_path / "results.json").read_text())
    assert read["format_version"] == 2
    assert read["protocol"]["instructions"] == "heldout"
    assert (read["successes"], read["episodes"]) == (1, 4)
    assert read["wilson95"] == list(wilson_interval(1, 4))
    assert (read["task_average"], read["tier_average"]) == (0.25, None)
    assert list(read["tasks"]) == ["drawer-open", "push"]
    task = read["tasks"]["drawer-open"]
    assert (task["successes"], task["wilson95"]) == (1, list(wilson_interval(1, 2)))
    assert (task["steps_to_success"], task["jerk_m_s3"]) == (40, None)
    assert read["timing"]["tasks"]["push"] == {"plan_ms": 24.0, "seconds": 3.0}
    assert task["outcomes"][1] == {
        "seed": 1_000_001,
        "instruction": "open the drawer",
        "steps": 40,
        "episode_return": 1.5,
        "success": False,
        "success_step": None,
        "jerk_m_s3": None,
    }


def test_the_file_holds_nothing_that_only_python_reads() -> None:
    facts = some_results([a_task("a", [True])]).to_dict()

    text = json.dumps(facts, allow_nan=False)

    assert json.dumps(json.loads(text)) == text


def test_a_place_that_cannot_be_written_to_is_named(tmp_path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"file/results\.json"):
        some_results([a_task("a", [True])]).save(tmp_path / "file" / "results.json")
