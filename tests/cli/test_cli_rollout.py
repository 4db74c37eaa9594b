"""Tests for cli/rollout.py."""

import json
import os
import subprocess
import sys

import pytest
from reach_checkpoint import save_checkpoint

from tinyvla_gym.envs.graphics import DEBIAN_REMEDY
from tinyvla_gym.envs.registration import REACH_ID

NO_GL = """
import sys
from tinyvla_gym.envs import graphics
graphics._loads = lambda library: False
from tinyvla_gym.cli.main import main
sys.exit(main(["rollout", "reach", "--policy", "random"]))
"""


def test_each_episode_is_told_as_it_ends(cli, tmp_path) -> None:
    answer = cli(
        *("rollout", REACH_ID, "--policy", "expert", "--episodes", 2, "--seed", 7),
        *("--json", tmp_path / "outcomes.json"),
    )

    outcomes = json.loads((tmp_path / "outcomes.json").read_text())["outcomes"]
    first, second, *_ = answer.out.splitlines()
    assert (answer.code, answer.err) == (0, "")
    assert first.startswith('seed 7  "reach the ')
    assert first.endswith(f"solved at step {outcomes[0]['success_step']}")
    assert second.startswith("seed 8")
    assert [one["seed"] for one in outcomes] == [7, 8]


def test_films_are_named_after_their_seed(cli, tmp_path) -> None:
    answer = cli(
        *("rollout", REACH_ID, "--policy", "expert", "--seed", 1_000_001),
        *("--video", tmp_path / "films"),
    )

    assert [path.name for path in (tmp_path / "films").iterdir()] == ["episode_1000001.mp4"]
    assert f"films in {tmp_path / 'films'}" in answer.out


def test_a_failed_episode_is_no_failed_command(cli) -> None:
    answer = cli("rollout", REACH_ID, "--policy", "random")

    assert answer.code == 0
    assert "not solved" in answer.out


def test_the_user_may_say_something_else(cli) -> None:
    answer = cli(
        "rollout", REACH_ID, "--policy", "expert", "--instruction", "do [b]what[/b] you :like:"
    )

    assert '"do [b]what[/b] you :like:"' in answer.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["drawer-opne"], "Did you mean 'drawer-open'?"),
        (["mt10"], "mt10 is a suite; evaluate plays those."),
        (["CartPole-v1", "--policy", "random"], "CartPole-v1 is none of our envs"),
        ([REACH_ID, "--policy", "experrt"], "Did you mean 'expert'?"),
        ([REACH_ID, "--policy", "./nowhere"], "there is no such folder"),
        ([REACH_ID, "--episodes", "0"], "--episodes must be at least 1, got 0"),
        ([REACH_ID, "--policy", "expert", "--seed", "-1"], "from 0 on, got -1"),
        ([REACH_ID, "--policy", "expert", "--instruction", "öffne es"], "['ö']"),
        ([REACH_ID, "--policy", "expert", "--instruction", "a" * 257], "256"),
    ],
)
def test_a_mistake_is_explained(refused, arguments, complaint) -> None:
    assert complaint in refused("rollout", *arguments)


def test_films_have_no_place_below_a_file(refused, tmp_path) -> None:
    (tmp_path / "file").write_text("years of work")

    told = refused(
        "rollout", REACH_ID, "--policy", "expert", "--video", tmp_path / "file" / "films"
    )

    assert "Cannot write to" in told
    assert (tmp_path / "file").read_text() == "years of work"


class TestCheckpoint:
    """What a checkpoint brings along must fit the env."""

    def test_a_good_one_plays_in_an_env_that_fits_it(self, cli, tmp_path) -> None:
        policy = save_checkpoint(tmp_path / "policy")

        answer = cli("rollout", REACH_ID, "--policy", policy, "--execute", 8)

        assert (answer.code, answer.err) == (0, "")
        assert "seed 1000000" in answer.out

    @pytest.mark.parametrize(
        ("changes", "complaint"),
        [
            ({"env_options": {"cameras": {"topview": [16, 16]}}}, "There is no camera 'topview'"),
            ({"env_options": {"cameras": {"top": [16, 16]}}}, "cannot drive Reach"),
            ({"env_options": {"rig": "rig.yaml"}}, "unexpected keyword argument 'rig'"),
            ({"profile": "fast-1"}, "fast-1"),
        ],
    )
    def test_one_that_does_not_fit_is_refused(self, refused, tmp_path, changes, complaint) -> None:
        policy = save_checkpoint(tmp_path / "policy", **changes)

        assert complaint in refused("rollout", REACH_ID, "--policy", policy)

    def test_one_for_the_toy_cannot_play_metaworld(self, refused, tmp_path) -> None:
        policy = save_checkpoint(tmp_path / "policy")

        assert "There is no camera 'top'" in refused("rollout", "reach", "--policy", policy)

    def test_other_pictures_may_be_allowed(self, cli, tmp_path) -> None:
        policy = save_checkpoint(tmp_path / "policy", profile="fast-1")

        assert cli("rollout", REACH_ID, "--policy", policy, "--any-profile").code == 0

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
    @pytest.mark.parametrize("left_frac", [0.0, 0.5])
    def test_one_that_was_cut_short_is_refused(self, refused, tmp_path, name, left_frac) -> None:
        policy = save_checkpoint(tmp_path / "policy")
        path = tmp_path / "policy" / name
        os.truncate(path, int(left_frac * path.stat().st_size))

        told = refused("rollout", REACH_ID, "--policy", policy)

        assert told.startswith(f"error: The checkpoint {policy} cannot be used")

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
    def test_one_that_lost_a_file_is_refused(self, refused, tmp_path, name) -> None:
        policy = save_checkpoint(tmp_path / "policy")
        (tmp_path / "policy" / name).unlink()

        assert f"it has no {name}" in refused("rollout", REACH_ID, "--policy", policy)

    def test_more_actions_than_a_chunk_holds_are_refused(self, refused, tmp_path) -> None:
        policy = save_checkpoint(tmp_path / "policy")

        told = refused("rollout", REACH_ID, "--policy", policy, "--execute", 9)

        assert "execute=9 does not fit a chunk of 8" in told


@pytest.mark.parametrize(
    ("program", "choice"),
    [
        (["-c", NO_GL], ""),
        (["-m", "tinyvla_gym.cli.main", "rollout", "reach", "--policy", "random"], "nonsense"),
    ],
    ids=["no library", "a wrong choice"],
)
def test_without_opengl_the_remedy_is_told(program, choice) -> None:
    environment = {**os.environ, "MUJOCO_GL": choice}

    done = subprocess.run(
        [sys.executable, *program], env=environment, capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert DEBIAN_REMEDY in done.stderr
    assert len(done.stderr.splitlines()) <= 5
