"""Tests for scripts/."""

import os
import subprocess
import sys
from pathlib import Path

import tyro

from tinyvla_gym.cli.evaluate import Evaluate
from tinyvla_gym.cli.main import VERBS
from tinyvla_gym.cli.train import Train

ROOT = Path(__file__).parents[1]


def test_where_pictures_can_be_drawn_the_check_of_opengl_says_nothing() -> None:
    check = [str(ROOT / "scripts" / "ensure_gl.sh"), sys.executable]

    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_learning_bars_are_commands_that_exist_and_score_all_that_they_teach(tmp_path) -> None:
    log, python = tmp_path / "log", tmp_path / "python"
    python.write_text(f'#!/bin/sh\nshift 2\necho "$@" >> {log}\n')  # notes what it would run
    python.chmod(0o755)
    script = [str(ROOT / "scripts" / "learning_bars.sh"), "data", "out", "results"]

    subprocess.run(script, cwd=tmp_path, env={**os.environ, "PYTHON": str(python)}, check=True)

    lines = log.read_text().splitlines()
    verbs = [tyro.cli(VERBS[name], args=rest) for name, *rest in map(str.split, lines)]
    taught = {str(verb.out / "checkpoint") for verb in verbs if isinstance(verb, Train)}
    scored = [verb for verb in verbs if isinstance(verb, Evaluate)]
    assert len(taught) == 4
    assert {one.policy for one in scored if one.instructions == "default"} == taught
    assert sum(one.instructions == "blank" for one in scored) == 3
