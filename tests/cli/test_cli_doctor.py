"""Tests for cli/doctor.py."""

import json
import os
import subprocess
import sys

import pytest

from tinyvla_gym.cli import doctor as module
from tinyvla_gym.envs.graphics import DEBIAN_REMEDY
from tinyvla_gym.errors import GraphicsError

NO_GL = """
import sys
from tinyvla_gym.envs import graphics
graphics._loads = lambda library: False
from tinyvla_gym.cli.main import main
sys.exit(main(["doctor"]))
"""


def test_a_machine_that_works_is_told_so(cli, tmp_path) -> None:
    answer = cli("doctor", "--json", tmp_path / "findings.json")

    facts = json.loads((tmp_path / "findings.json").read_text())
    assert (answer.code, answer.err) == (0, "")
    assert facts["broken"] == 0
    assert facts["findings"]["simulator"].startswith("one step with 3 pictures in ")
    assert "ok       OpenGL: " in answer.out
    assert "broken" not in answer.out


@pytest.mark.parametrize(
    "problem", [GraphicsError("no OpenGL"), OSError("full"), RuntimeError("MuJoCo is out of tune")]
)
def test_a_check_that_fails_does_not_keep_the_others_from_running(
    cli, monkeypatch, problem
) -> None:
    def fail():
        raise problem

    monkeypatch.setattr(module, "_check_graphics", fail)
    monkeypatch.setattr(module, "_check_simulator", lambda: "fine")

    answer = cli("doctor")

    assert answer.code == 1
    assert f"broken   OpenGL: {problem}" in answer.out
    assert "ok       simulator: fine" in answer.out
    assert answer.err == "error: 1 of 6 checks failed; see above.\n"


def test_a_missing_extra_is_optional_and_its_remedy_is_told(cli, monkeypatch) -> None:
    monkeypatch.setattr(module, "_check_simulator", lambda: "fine")
    monkeypatch.setattr(module, "_EXTRAS", {"no_such_module": "rl"})

    answer = cli("doctor")

    assert answer.code == 0
    assert 'optional no_such_module: missing: pip install "tinyvla-gym[rl]"' in answer.out


@pytest.mark.parametrize(
    ("program", "choice"),
    [(["-c", NO_GL], ""), (["-m", "tinyvla_gym.cli.main", "doctor"], "nonsense")],
    ids=["no library", "a wrong choice"],
)
def test_without_opengl_the_remedy_is_told(program, choice) -> None:
    environment = {**os.environ, "MUJOCO_GL": choice}

    done = subprocess.run(
        [sys.executable, *program], env=environment, capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 1
    assert "broken   OpenGL" in done.stdout
    assert "broken   simulator" in done.stdout
    assert DEBIAN_REMEDY in done.stdout
    assert done.stderr == "error: 2 of 6 checks failed; see above.\n"
