"""Tests for evaluation/evaluate.py."""

from pathlib import Path

import pytest
from fake_evaluations import HereCrew
from reach_checkpoint import save_checkpoint

from tinyvla_gym.envs.registration import REACH_ID
from tinyvla_gym.errors import (
    CheckpointError,
    ChunkLengthError,
    ConfigError,
    InterfaceMismatchError,
    TinyVLAError,
    UnknownNameError,
)
from tinyvla_gym.evaluation import evaluate as module
from tinyvla_gym.evaluation.evaluate import Protocol, evaluate


@pytest.fixture
def in_this_process(monkeypatch):
    """Plays here, which is faster than a worker."""
    monkeypatch.setattr(module, "ProcessCrew", HereCrew)


@pytest.fixture
def two_toys(monkeypatch):
    """A suite of two tasks that both are the toy."""
    monkeypatch.setattr(module, "suite_tasks", lambda suite: {"a": REACH_ID, "b": REACH_ID})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> str:
    return save_checkpoint(tmp_path_factory.mktemp("policies") / "clueless")


def outcomes(results):
    return {task: result.outcomes for task, result in results.tasks.items()}


@pytest.mark.slow  # each worker imports torch
def test_workers_do_not_change_what_happens(two_toys, checkpoint) -> None:
    protocol = Protocol(suite="two toys", episodes=3, horizon=9, parallel=2)
    heard = []

    alone = evaluate(checkpoint, protocol, workers=1)
    together = evaluate(
        checkpoint,
        protocol,
        workers=2,
        on_episode=lambda task, outcome: heard.append((task, outcome.seed)),
    )

    assert outcomes(alone) == outcomes(together)
    assert len(set(alone.tasks["a"].outcomes)) == 3  # and the episodes differ
    seeds = (1_000_000, 1_000_001, 1_000_002)
    assert sorted(heard) == [(task, seed) for task in "ab" for seed in seeds]
    assert (alone.workers, together.workers) == (1, 2)


@pytest.mark.usefixtures("in_this_process")
class TestEvaluate:
    def test_the_expert_solves_the_toy_and_random_does_not(self) -> None:
        protocol = Protocol(suite="reach", episodes=10)

        assert evaluate("expert", protocol).successes == 10
        assert evaluate("random", protocol).successes == 0

    def test_seeds_follow_the_first(self) -> None:
        results = evaluate("expert", Protocol(suite="reach", episodes=3, seed=2_000_000))

        seeds = [outcome.seed for outcome in results.tasks["toy-reach"].outcomes]
        assert seeds == [2_000_000, 2_000_001, 2_000_002]

    def test_blank_sentences_change_the_words_and_not_the_world(self) -> None:
        told = evaluate("expert", Protocol(suite="reach", episodes=3))
        blank = evaluate("expert", Protocol(suite="reach", episodes=3, instructions="blank"))

        assert told.tasks["toy-reach"].sentence != ""
        assert {one.instruction for one in blank.tasks["toy-reach"].outcomes} == {""}
        steps = [
            [one.steps for one in results.tasks["toy-reach"].outcomes] for results in (told, blank)
        ]
        assert steps[0] == steps[1]

    def test_held_out_sentences_are_told(self) -> None:
        protocol = Protocol(suite="reach", episodes=1, instructions="heldout", horizon=1)

        sentence = evaluate("random", protocol).tasks["toy-reach"].sentence

        assert sentence.startswith(("bring the hand over", "touch the", "guide the gripper"))

    def test_the_horizon_ends_episodes(self) -> None:
        results = evaluate("random", Protocol(suite="reach", episodes=2, horizon=7))

        assert results.horizon == results.tasks["toy-reach"].mean_steps == 7

    def test_the_first_episode_is_filmed(self, tmp_path) -> None:
        protocol = Protocol(suite="reach", episodes=3, horizon=4)

        evaluate("random", protocol, videos=tmp_path / "videos")

        [film] = (tmp_path / "videos").iterdir()
        assert film.name == "toy-reach.mp4"
        assert film.stat().st_size > 1000

    def test_what_the_numbers_depend_on_is_kept(self, checkpoint) -> None:
        protocol = Protocol(suite="reach", episodes=1, horizon=4, execute=1)

        results = evaluate(checkpoint, protocol)

        assert results.policy == checkpoint
        assert results.protocol["execute"] == 1
        assert results.tasks["toy-reach"].plan_ms > 0
        assert {"python", "torch", "mujoco"} <= set(results.versions)

    def test_more_actions_than_a_chunk_holds_are_refused(self, checkpoint) -> None:
        with pytest.raises(ChunkLengthError, match="execute=9 does not fit a chunk of 8"):
            evaluate(checkpoint, Protocol(suite="reach", execute=9))

    def test_pictures_drawn_otherwise_are_refused_unless_allowed(self, tmp_path) -> None:
        other = save_checkpoint(tmp_path / "other", profile="fast-1")
        protocol = Protocol(suite="reach", episodes=1, horizon=4)

        with pytest.raises(InterfaceMismatchError, match="fast-1"):
            evaluate(other, protocol)

        assert evaluate(other, protocol, any_profile=True).episodes == 1

    def test_a_checkpoint_for_other_cameras_is_refused(self, tmp_path) -> None:
        other = save_checkpoint(tmp_path / "other", env_options={"cameras": {"topview": 16}})

        with pytest.raises(UnknownNameError, match="no camera 'topview'"):
            evaluate(other, Protocol(suite="reach"))

    def test_a_checkpoint_for_another_kind_of_env_is_refused(self, tmp_path) -> None:
        other = save_checkpoint(tmp_path / "other", env_options={"rig": "rig.yaml"})

        with pytest.raises(ConfigError, match=r"cannot be made.*rig"):
            evaluate(other, Protocol(suite="reach"))

    @pytest.mark.parametrize(
        ("policy", "complaint"),
        [
            ("experrt", "There is no policy 'experrt'. Did you mean 'expert'?"),
            ("./nowhere", "there is no such folder"),
        ],
    )
    def test_a_policy_that_is_not_there_is_named(self, policy, complaint) -> None:
        with pytest.raises((UnknownNameError, CheckpointError), match=complaint):
            evaluate(policy, Protocol(suite="reach"))


def test_an_error_of_ours_crosses_from_the_worker(checkpoint) -> None:
    with pytest.raises(TinyVLAError, match="toy-reach: execute=9 does not fit a chunk of 8"):
        evaluate(checkpoint, Protocol(suite="reach", execute=9))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"episodes": 0}, "episodes must be at least 1, got 0"),
        ({"parallel": 0}, "parallel must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"horizon": 0}, "horizon must be at least 1"),
        ({"execute": 0}, "execute must be at least 1"),
        ({"instructions": "held-out"}, "Did you mean 'heldout'"),
    ],
)
def test_an_impossible_protocol_is_refused(settings, complaint) -> None:
    with pytest.raises((ConfigError, UnknownNameError), match=complaint):
        Protocol(suite="reach", **settings)


def test_no_workers_are_refused() -> None:
    with pytest.raises(ConfigError, match="workers must be at least 1, got 0"):
        evaluate("expert", Protocol(suite="reach"), workers=0)


def test_an_unknown_suite_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no suite 'mt100'"):
        evaluate("expert", Protocol(suite="mt100"), videos=tmp_path)

    assert not any(tmp_path.iterdir())
