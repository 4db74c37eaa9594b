"""Tests for cli/score.py."""

import builtins
import json

import pytest

from tinyvla_gym.cli import score as module
from tinyvla_gym.cli.console import console

SCORE = ("score", "--policies", "random", "expert", "--env", "reach-toy", "--episodes", 2)


@pytest.fixture
def typed(monkeypatch):
    """Types keys, and then Ctrl-D."""

    def type_(keys):
        left = iter(keys)

        def answer(*_):
            try:
                return next(left)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr(builtins, "input", answer)

    return type_


def test_a_session_that_is_broken_off_goes_on_and_is_compared(cli, typed, tmp_path) -> None:
    out = tmp_path / "scored"
    typed("sf")
    broken = cli(*SCORE, "--out", out)
    typed("xdsf")
    done = cli(*SCORE, "--out", out, "--resume", "--json", tmp_path / "both.json")

    assert (broken.code, done.code) == (130, 0)
    assert "add --resume" in broken.err
    assert "2 pairs of episodes with equal seeds" in done.out
    both = json.loads((tmp_path / "both.json").read_text())
    assert {name: one["protocol"]["judge"] for name, one in both.items()} == {
        "random": "person",
        "expert": "person",
    }
    assert cli("compare", out / "a", out / "b").code == 0


def test_who_watches_sees_the_cameras_and_no_verdict(cli, typed, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(type(console), "is_terminal", True)
    monkeypatch.setattr(module, "RealTime", lambda env: env)
    typed("ssss")
    answer = cli(*SCORE, "--out", tmp_path / "scored")

    shown = answer.out.split("task")[0]
    assert "\u2580" in shown
    assert "seed 1000000: " in shown
    for word in ("random", "expert", "kept", "discarded"):
        assert word not in shown


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--env", "mt10"], "one env at a time, not 10: mt10"),
        (["--env", "drawer-opne"], "Did you mean 'drawer-open'?"),
        (["--policies", "random", "random"], "given twice"),
        (["--policies", "a", "b", "c"], "one policy or two, not 3"),
        (["--episodes", "0"], "episodes must be at least 1"),
    ],
)
def test_a_mistake_is_explained(refused, monkeypatch, tmp_path, arguments, complaint) -> None:
    monkeypatch.setattr(module, "_ask", None)

    assert complaint in refused(*SCORE, *arguments, "--out", tmp_path / "scored")
