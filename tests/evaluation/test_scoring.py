"""Tests for evaluation/scoring.py and evaluation/scored.py."""

import pytest
from fake_evaluations import an_outcome

from tinyvla_gym.errors import ConfigError, OutputError
from tinyvla_gym.evaluation.results import Results
from tinyvla_gym.evaluation.scored import ScoredEpisodes
from tinyvla_gym.evaluation.scoring import Scores, Trial, blind_order, score, scored_task

SEEDS = range(1_000_000, 1_000_010)
TRIALS = blind_order(("a", "b"), SEEDS, draw=0)


def play(trial):
    return an_outcome(seed=trial.seed, solved=False, steps=33)


def answers(keys):
    left = iter(keys)
    return lambda question: next(left)


@pytest.fixture
def scores(tmp_path) -> Scores:
    return Scores(tmp_path / "scores.jsonl", {})


def test_every_policy_plays_every_seed_and_nobody_always_begins() -> None:
    pairs = [TRIALS[place : place + 2] for place in range(0, 20, 2)]

    assert all({one.policy for one in pair} == {"a", "b"} for pair in pairs)
    assert [pair[0].seed for pair in pairs] == [pair[1].seed for pair in pairs] == list(SEEDS)
    assert {pair[0].policy for pair in pairs} == {"a", "b"}
    assert blind_order(("a", "b"), SEEDS, draw=0) == TRIALS


def test_the_person_decides_and_not_the_env(scores) -> None:
    scored = score(TRIALS[:2], play, answers("sf"), scores)

    [first, second] = scored.values()
    assert (first.success, first.success_step) == (True, 33)
    assert (second.success, second.success_step) == (False, None)


def test_a_question_does_not_say_who_plays(scores) -> None:
    trials, asked = blind_order(("nano", "other"), SEEDS, draw=0), []

    score(trials, play, lambda question: asked.append(question) or "s", scores)

    assert asked[0] == "trial 1 of 20: s success, f failure, d discard? "
    assert not any("nano" in one or "other" in one for one in asked)


def test_other_keys_are_asked_again_and_a_discarded_episode_is_played_again(scores) -> None:
    played = []

    def count(trial):
        played.append(trial)
        return play(trial)

    score(TRIALS[:1], count, answers(["x", "", "d", " S "]), scores)

    assert played == [TRIALS[0]] * 2


def test_it_goes_on_where_it_was_broken_off(tmp_path, scores) -> None:
    with pytest.raises(StopIteration):
        score(TRIALS, play, answers("sfds"), scores)
    with (tmp_path / "scores.jsonl").open("a") as file:
        file.write('{"trial": {"pol')  # the power went
    asked = []

    again = Scores(tmp_path / "scores.jsonl", {})
    score(TRIALS, play, lambda question: asked.append(question) or "f", again)

    assert len(asked) == 20 - 3
    assert asked[0].startswith("trial 4 of 20")
    assert len(Scores(tmp_path / "scores.jsonl", {}).done()) == 20


def test_a_journal_of_others_is_refused(tmp_path, scores) -> None:
    with pytest.raises(ConfigError, match="other policies or seeds"):
        Scores(tmp_path / "scores.jsonl", {"policies": ["c"]})


def test_scores_enter_the_schema_of_every_evaluation() -> None:
    scored = {trial: an_outcome(seed=trial.seed, solved=trial.policy == "a") for trial in TRIALS}

    result = scored_task("grasp", "a", scored, horizon=100)

    assert (result.successes, result.episodes) == (10, 10)
    assert [one.seed for one in result.outcomes] == list(SEEDS)


def test_two_policies_are_scored_on_the_toy(tmp_path) -> None:
    session = ScoredEpisodes(
        policies=("random", "expert"),
        env_id="TinyVLA/Reach-v0",
        out=tmp_path,
        episodes=2,
        seed=1_000_000,
    )

    results = session.run(ask=answers("sfsf"), resume=False)

    assert sum(one.successes for one in results) == 2
    assert Results.load(tmp_path / "a") == results[0]
    assert results[0].conditions.title == "native, changed: episodes 2, judge person"
    with pytest.raises(OutputError, match="add --resume"):
        session.run(ask=answers(""), resume=False)
    assert session.run(ask=answers(""), resume=True) == results


def test_a_policy_against_itself_is_no_comparison() -> None:
    with pytest.raises(ConfigError, match="given twice"):
        blind_order(("a", "a"), SEEDS, draw=0)
    assert blind_order(("a",), SEEDS, draw=0)[0] == Trial(policy="a", seed=1_000_000)
