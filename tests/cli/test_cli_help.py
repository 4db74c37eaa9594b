"""Tests for cli/main.py: help, and what every verb shares."""

import subprocess
import sys

import pytest

from tinyvla_gym.cli import main as module
from tinyvla_gym.cli.envs import Envs

DEFAULTS = {  # verb: an option whose help must say so
    "envs": "--json",
    "rollout": "(default: 1000000)",
    "collect": "(default: 400)",
    "data": "reencode",
    "view": "(default: 12)",
    "train": "(default: nano)",
    "evaluate": "(default: native)",
    "convert": "--int8",
    "bench": "at least 5",
    "emulate": "(default: 2)",
    "drive": "--teleop",
    "calibrate": "pretended",
    "doctor": "--json",
}
HEAVY = ("torch", "mujoco", "metaworld", "diffusers", "transformers", "stable_baselines3")
HELP = f"""
import sys
from tinyvla_gym.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print([name for name in {HEAVY!r} if name in sys.modules])
"""


def python(*arguments, **settings):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=120, **settings
    )


@pytest.mark.parametrize("verb", DEFAULTS)
def test_every_verb_explains_itself(cli, verb) -> None:
    answer = cli(verb, "--help")

    assert answer.code == 0
    assert DEFAULTS[verb] in answer.out
    assert "``" not in answer.out  # that is for the documentation's readers
    assert answer.err == ""


@pytest.mark.parametrize("arguments", [["--help"], ["evaluate", "--help"]])
def test_help_loads_neither_torch_nor_a_simulator(arguments) -> None:
    done = python("-c", HELP, *arguments)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["fly"], "fly"),
        ([], "Missing subcommand"),
        (["rollout", "reach", "--speed", "3"], "--speed"),
        (["rollout", "reach", "--episodes", "many"], "many"),
        (["collect", "reach"], "--out"),
    ],
)
def test_what_is_no_command_is_told_by_the_parser(cli, arguments, complaint) -> None:
    answer = cli(*arguments)

    assert answer.code == 2
    assert complaint in answer.err
    assert "Traceback" not in answer.err


def test_the_program_runs_as_a_module_and_its_exit_code_is_the_verbs() -> None:
    good = python("-m", "tinyvla_gym.cli.main", "envs")
    bad = python("-m", "tinyvla_gym.cli.main", "rollout", "drawer-opne", "--policy", "expert")

    assert (good.returncode, good.stderr) == (0, "")
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.startswith("error: There is no env 'drawer-opne'. Did you mean 'drawer-open'")


def test_the_place_for_json_is_tried_before_the_work(refused, monkeypatch, tmp_path) -> None:
    (tmp_path / "file").touch()
    worked = []
    monkeypatch.setattr(Envs, "run", lambda self: worked.append(1))

    assert "file/facts.json" in refused("envs", "--json", tmp_path / "file" / "facts.json")
    assert "it is a folder" in refused("envs", "--json", tmp_path)
    assert worked == []


def test_a_place_for_json_that_is_good_is_left_as_it_was(cli, monkeypatch, tmp_path) -> None:
    (tmp_path / "facts.json").write_text("before")
    monkeypatch.setattr(Envs, "run", lambda self: 0)

    assert cli("envs", "--json", tmp_path / "facts.json").code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["facts.json"]
    assert (tmp_path / "facts.json").read_text() == "before"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [(["envs"], "interrupted."), (["collect", "reach", "--out", "x"], "--resume")],
)
def test_ctrl_c_is_no_traceback_and_says_how_to_go_on(cli, monkeypatch, arguments, hint) -> None:
    def interrupt(self):
        raise KeyboardInterrupt

    for verb in (Envs, module.Collect):
        monkeypatch.setattr(verb, "run", interrupt)

    answer = cli(*arguments)

    assert answer.code == 130
    assert hint in answer.err
    assert len(answer.err.splitlines()) == 1
