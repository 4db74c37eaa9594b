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


def learning_bars(folder: Path) -> list[str]:
    """What the script would run in a folder."""
    log, python = folder / "log", folder / "python"
    log.unlink(missing_ok=True)
    python.write_text(f'#!/bin/sh\nshift 2\necho "$@" >> {log}\n')
    python.chmod(0o755)
    script = [str(ROOT / "scripts" / "learning_bars.sh"), "data", "out", "results"]
    subprocess.run(script, cwd=folder, env={**os.environ, "PYTHON": str(python)}, check=True)
    return log.read_text().splitlines()


def test_the_learning_bars_go_on_with_a_collection_until_it_is_finished(tmp_path) -> None:
    meta = tmp_path / "out/reach/meta"
    meta.mkdir(parents=True)
    [line] = [line for line in learning_bars(tmp_path) if line.startswith("collect")]
    assert tyro.cli(VERBS["collect"], args=line.split()[1:]).resume

    (meta / "info.json").touch()
    assert not any(line.startswith("collect") for line in learning_bars(tmp_path))


def test_the_learning_bars_are_commands_that_exist_and_score_all_that_they_teach(tmp_path) -> None:
    lines = learning_bars(tmp_path)
    verbs = [tyro.cli(VERBS[name], args=rest) for name, *rest in map(str.split, lines)]
    taught = {str(verb.out / "checkpoint") for verb in verbs if isinstance(verb, Train)}
    scored = [verb for verb in verbs if isinstance(verb, Evaluate)]
    assert len(taught) == 4
    assert {one.policy for one in scored if one.instructions == "default"} == taught
    assert sum(one.instructions == "blank" for one in scored) == 3
