"""Tests for demonstrations.py."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.demonstrations import Plan, collect
from tinyvla_gym.demonstrations.playing import ExpertPlayer
from tinyvla_gym.envs.reach import ReachEnv
from tinyvla_gym.envs.registration import REACH_ID, metaworld_id
from tinyvla_gym.errors import ConfigError, OutputError
from tinyvla_gym.evaluation.processes import ProcessCrew

OPTIONS = {"cameras": {"top": 8}}
SOME_FAIL = Plan(episodes=4, seed=10, horizon=14, linger=0, noisy_frac=0.5)
"""Half of the toy's targets are farther than 14 ticks away."""


def collect_reach(out, plan, **settings):
    return collect([REACH_ID], out, plan, env_options=OPTIONS, **settings)


def test_as_many_are_kept_as_were_asked_for_with_seeds_in_order(tmp_path) -> None:
    tried = []

    count = collect_reach(
        tmp_path / "data",
        SOME_FAIL,
        on_attempt=lambda env_id, outcome: tried.append((outcome.seed, outcome.success)),
    )

    dataset = Dataset(tmp_path / "data")
    solved = [seed for seed, success in tried if success]
    assert count == len(dataset) == len(solved) == 4
    assert len(tried) > 4  # some failed
    assert [seed for seed, _ in tried] == list(range(10, 10 + len(tried)))
    assert list(dataset.seeds) == solved
    assert all(dataset.successes)
    assert set(dataset.sources) == {"expert"}
    assert dataset.env_ids == (REACH_ID,)
    assert (dataset.profile, dataset.interface) == ("kinematic-1", ReachEnv(**OPTIONS).interface)


@pytest.mark.parametrize("after", [1, 3])
def test_interrupted_and_resumed_it_gives_the_same_dataset(tmp_path, after) -> None:
    tried = []

    def interrupt(env_id, outcome):
        tried.append(outcome)
        if len(tried) == after:
            raise KeyboardInterrupt

    collect_reach(tmp_path / "whole", SOME_FAIL)
    with pytest.raises(KeyboardInterrupt):
        collect_reach(tmp_path / "broken", SOME_FAIL, on_attempt=interrupt)
    collect_reach(tmp_path / "broken", SOME_FAIL, resume=True)

    whole, broken = Dataset(tmp_path / "whole"), Dataset(tmp_path / "broken")
    assert whole.fingerprint() == broken.fingerprint()
    assert whole.seeds == broken.seeds


def test_who_plays_makes_no_difference(tmp_path) -> None:
    heard = []
    collect_reach(tmp_path / "alone", SOME_FAIL)

    with ProcessCrew(ExpertPlayer, 2) as crew:
        collect_reach(
            tmp_path / "together",
            SOME_FAIL,
            crew=crew,
            on_attempt=lambda env_id, outcome: heard.append((env_id, outcome.success)),
        )

    alone, together = Dataset(tmp_path / "alone"), Dataset(tmp_path / "together")
    assert alone.fingerprint() == together.fingerprint()
    assert together.seeds == alone.seeds
    assert heard.count((REACH_ID, True)) == 4
    assert len(heard) > 4


class Shuffled:
    """A crew that plays jobs in an order of its own, and is sent away after a while."""

    workers = 1

    def __init__(self, seed, after=1_000):
        self._rng, self._left = np.random.default_rng(seed), after

    def play(self, jobs, on_episode):
        play = ExpertPlayer()
        for place in self._rng.permutation(len(jobs)):
            if not self._left:
                raise KeyboardInterrupt
            self._left -= 1
            yield int(place), play(jobs[place], on_episode)


@given(seed=st.integers(0, 1_000), after=st.integers(0, 9))
@settings(max_examples=12, deadline=None)
def test_neither_order_nor_interruptions_make_a_difference(seed, after) -> None:
    with TemporaryDirectory() as folder:
        whole, broken = Path(folder) / "whole", Path(folder) / "broken"
        collect_reach(whole, SOME_FAIL)
        with suppress(KeyboardInterrupt):
            collect_reach(broken, SOME_FAIL, crew=Shuffled(seed, after))
        if not (broken / "meta/info.json").exists():
            collect_reach(broken, SOME_FAIL, resume=True, crew=Shuffled(seed))

        assert Dataset(broken).fingerprint() == Dataset(whole).fingerprint()


def test_of_failures_no_picture_is_drawn(tmp_path, monkeypatch) -> None:
    looks, ticks = [], []
    look = ReachEnv.observe
    monkeypatch.setattr(ReachEnv, "observe", lambda env: looks.append(1) or look(env))

    collect_reach(
        tmp_path / "data",
        SOME_FAIL,
        on_attempt=lambda env_id, outcome: ticks.append((outcome.success, outcome.steps)),
    )

    kept = sum(steps for success, steps in ticks if success)
    beginnings = len(ticks) + sum(success for success, _ in ticks)
    assert sum(steps for success, steps in ticks if not success) > beginnings
    assert len(looks) == kept + beginnings


def test_envs_come_in_the_order_in_which_they_were_named(tmp_path) -> None:
    ids = [metaworld_id("reach"), metaworld_id("drawer-close")]
    plan = Plan(episodes=2, linger=0, noisy_frac=0.0, progress_frac=0.0)

    collect(
        ids,
        tmp_path / "data",
        plan,
        env_options={"cameras": {"topview": 16}},
        crew=Shuffled(3),
    )

    dataset = Dataset(tmp_path / "data")
    assert dataset.tasks == ("reach", "reach", "drawer-close", "drawer-close")
    assert dataset.seeds == (0, 1, 0, 1)


def test_a_finished_dataset_is_not_resumed(tmp_path) -> None:
    collect_reach(tmp_path / "data", SOME_FAIL)

    with pytest.raises(OutputError, match="finished dataset"):
        collect_reach(tmp_path / "data", SOME_FAIL, resume=True)


def test_without_resume_a_folder_in_use_is_refused_and_left_alone(tmp_path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.tex").write_text("years of work")

    with pytest.raises(OutputError, match="not empty"):
        collect_reach(tmp_path / "data", SOME_FAIL)

    assert [path.name for path in (tmp_path / "data").iterdir()] == ["thesis.tex"]


def test_an_env_that_is_named_twice_is_recorded_once(tmp_path) -> None:
    plan = Plan(episodes=2, horizon=40)

    count = collect([REACH_ID, REACH_ID], tmp_path / "data", plan, env_options=OPTIONS)

    assert count == 2


def test_progress_is_told_of_every_step(tmp_path) -> None:
    heard = []

    collect_reach(
        tmp_path / "data",
        Plan(episodes=2, horizon=40),
        on_progress=lambda *facts: heard.append(facts),
    )

    assert heard == [
        ("checking the envs", 1, 1),
        ("demonstrations", 1, 2),
        ("demonstrations", 2, 2),
        ("writing the dataset", 1, 2),
        ("writing the dataset", 2, 2),
    ]


def recorded(tmp_path, **plan):
    collect_reach(tmp_path / "data", Plan(episodes=3, horizon=40, linger=0, **plan))
    dataset = Dataset(tmp_path / "data")
    return [dataset.episode(index) for index in range(3)]


def test_noise_reaches_the_robot_and_not_the_label(tmp_path) -> None:
    for episode in recorded(tmp_path, noisy_frac=1.0, noise_hold=1.0, noise_calm_frac=0.0):
        env = ReachEnv(**OPTIONS)
        env.reset(seed=episode.seed)
        expert = []
        for sent in episode.sent_action:
            expert.append(env.expert_action())
            env.advance(sent)

        np.testing.assert_array_equal(episode.action, expert)
        assert (episode.action[:, :3] != episode.sent_action[:, :3]).any()
        np.testing.assert_array_equal(episode.action[:, 3], episode.sent_action[:, 3])  # gripper


def test_without_noise_label_and_sent_action_are_one(tmp_path) -> None:
    for episode in recorded(tmp_path, noisy_frac=0.0):
        np.testing.assert_array_equal(episode.action, episode.sent_action)


def test_about_so_many_episodes_are_noisy(tmp_path) -> None:
    collect_reach(
        tmp_path / "data",
        Plan(episodes=20, horizon=60, linger=0, noisy_frac=0.5, noise_hold=1, noise_calm_frac=0),
    )
    dataset = Dataset(tmp_path / "data")

    episodes = [dataset.episode(index) for index in range(20)]

    noisy = sum((one.action != one.sent_action).any() for one in episodes)
    assert 4 <= noisy <= 16


@pytest.mark.parametrize("linger", [0, 3])
def test_recording_lingers_after_success(tmp_path, linger) -> None:
    collect_reach(tmp_path / "data", Plan(episodes=1, horizon=40, linger=linger, noisy_frac=0.0))

    success = Dataset(tmp_path / "data").episode(0).success

    assert len(success) - 1 - int(np.argmax(success)) == linger


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"seed": -1}, "seeds from 0 to 99999, not -1 to 48"),
        ({"seed": 100_000}, "seeds from 0 to 99999"),
        ({"seed": 1_000_000}, "seeds from 0 to 99999"),
        ({"seed": 99_999, "episodes": 2}, "seeds from 0 to 99999, not 99999 to 100000"),
        ({"episodes": 0}, "episodes must be at least 1, got 0"),
        ({"horizon": 0}, "horizon must be at least 1"),
        ({"linger": -1}, "linger must be at least 0"),
        ({"noise_std": float("nan")}, "noise_std must be at least 0, got nan"),
        ({"noise_hold": 0.5}, "noise_hold must be at least 1"),
        ({"noisy_frac": 1.5}, "noisy_frac must be from 0 to 1, got 1.5"),
        ({"progress_frac": -0.1}, "progress_frac must be from 0 to 1"),
    ],
)
def test_an_impossible_plan_is_refused(tmp_path, settings, complaint) -> None:
    with pytest.raises(ConfigError, match=complaint):
        collect_reach(tmp_path / "data", Plan(**settings))

    assert not (tmp_path / "data").exists()


def test_the_last_seed_may_be_used() -> None:
    Plan(seed=99_999, episodes=1).check()


def test_when_failures_use_the_seeds_up_it_stops_there(tmp_path) -> None:
    seeds = []

    with pytest.raises(ConfigError, match=r"solved only 0 of .* 99998 to 99999:"):
        collect_reach(
            tmp_path / "data",
            Plan(episodes=2, seed=99_998, horizon=1),
            on_attempt=lambda env_id, outcome: seeds.append(outcome.seed),
        )

    assert seeds == [99_998, 99_999]


def test_an_expert_that_keeps_failing_is_named(tmp_path) -> None:
    tried = []

    with pytest.raises(ConfigError, match=r"expert of Reach solved only 0 of .* 0 to 19:\nlower"):
        collect_reach(
            tmp_path / "data",
            Plan(episodes=1, horizon=1),
            on_attempt=lambda env_id, outcome: tried.append(outcome),
        )

    assert len(tried) == 20


def test_envs_with_different_interfaces_are_refused_before_anything_is_written(tmp_path) -> None:
    with pytest.raises(ConfigError, match="MetaWorld-reach-v3 does not fit TinyVLA/Reach-v0: "):
        collect([REACH_ID, metaworld_id("reach")], tmp_path / "data", Plan(episodes=1))

    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("env_ids", [[], ["CartPole-v1"], ["TinyVLA/Nowhere-v0"]])
def test_what_is_no_env_of_ours_is_refused(tmp_path, env_ids) -> None:
    with pytest.raises(ConfigError):
        collect(env_ids, tmp_path / "data", Plan(episodes=1))

    assert not (tmp_path / "data").exists()


def test_half_of_a_drawers_episodes_start_midway_without_the_goals_marker(
    tmp_path, monkeypatch
) -> None:
    from tinyvla_gym.envs.metaworld import MetaWorldEnv

    asked = {}
    begin = MetaWorldEnv._begin

    def spy(self, seed, options):
        asked[seed] = dict(options)
        return begin(self, seed, options)

    monkeypatch.setattr(MetaWorldEnv, "_begin", spy)

    collect(
        [metaworld_id("drawer-open")],
        tmp_path / "data",
        Plan(episodes=2, noisy_frac=0.0, linger=0),
        env_options={"cameras": {"topview": 16}},
    )

    assert asked[0] == {}
    assert asked[1]["goal_marker"] is False
    assert 0 < asked[1]["progress"] < 0.7
    dataset = Dataset(tmp_path / "data")
    assert (dataset.seeds, dataset.tasks) == ((0, 1), ("drawer-open", "drawer-open"))
    assert dataset.lengths[1] < dataset.lengths[0]  # part of the way was already made
