"""Tests for cli/console.py and cli/progress.py."""

import io

import gymnasium as gym
import pytest
from fake_evaluations import a_task, some_results
from rich.console import Console

from tinyvla_gym.cli import console as module
from tinyvla_gym.cli import progress as progress_module
from tinyvla_gym.cli.console import complain, env_ids, print_results
from tinyvla_gym.cli.progress import progress
from tinyvla_gym.envs.registration import REACH_ID
from tinyvla_gym.errors import MissingExtraError, UnknownNameError


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (REACH_ID, [REACH_ID]),
        ("reach-toy", [REACH_ID]),
        ("reach", ["TinyVLA/MetaWorld-reach-v3"]),
        ("drawer-open-v3", ["TinyVLA/MetaWorld-drawer-open-v3"]),
        ("TinyVLA/MetaWorld-drawer-open-v3", ["TinyVLA/MetaWorld-drawer-open-v3"]),
    ],
)
def test_an_env_has_several_names(name, wanted) -> None:
    assert env_ids(name) == wanted


@pytest.mark.parametrize(("suite", "size"), [("mt10", 10), ("mt50", 50), ("demo", 6)])
def test_a_suite_stands_for_its_envs(suite, size) -> None:
    ids = env_ids(suite)

    assert len(ids) == size
    assert all(name in gym.registry for name in ids)


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("drawer-opne", "drawer-open"),
        ("TinyVLA/MetaWorld-drawer-opne-v3", "drawer-open"),
        ("TinyVLA/Reach-v1", "TinyVLA/Reach-v0"),
    ],
)
def test_a_misspelt_env_is_guessed(name, guess) -> None:
    with pytest.raises(UnknownNameError, match=f"Did you mean '{guess}'"):
        env_ids(name)


def test_a_complaint_is_printed_as_it_is(capsys) -> None:
    complain(MissingExtraError("Training", "tinyvla"))
    complain("cannot write to /data/[/old]:smile:")

    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith('run: pip install "tinyvla-gym[tinyvla]"')
    assert second == "error: cannot write to /data/[/old]:smile:"


LONG = a_task(
    "button-press-topdown-wall",
    [True, False],
    instruction="reach over the wall and press the big red button down from above, then let go",
)


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_table_of_results_never_wraps_a_row(monkeypatch, width) -> None:
    shown = io.StringIO()
    narrow = Console(file=shown, width=width, highlight=False, markup=False, emoji=False)
    monkeypatch.setattr(module, "console", narrow)

    print_results(some_results([LONG, a_task("push", [True, True])]))

    heading, first, second, *rest = shown.getvalue().splitlines()
    assert heading.split()[:2] == ["task", "sentence"]
    assert "95 % interval" in heading
    assert first.startswith("button-press-topdown-wall  reach")
    assert first.rstrip().endswith("1 of 2      9 to 91 %     40         24.0")
    assert second.startswith("push ")
    assert second.rstrip().endswith("2 of 2    34 to 100 %     40         24.0")
    assert len(rest) == 2
    assert "task average 75.0 %" in rest[0]


class Clock:
    """Time passes when told to."""

    def __init__(self, monkeypatch):
        self.now_s = 0.0
        monkeypatch.setattr("time.monotonic", lambda: self.now_s)


def lines_of_a_log(capsys, monkeypatch, ticks, seconds_each):
    clock = Clock(monkeypatch)
    with progress() as show:
        for done in range(1, ticks + 1):
            clock.now_s += seconds_each
            show("demonstrations", done, ticks, f"task {done}")
    return capsys.readouterr().out.splitlines()


def test_a_log_gets_a_line_every_ten_seconds_and_one_at_the_end(capsys, monkeypatch) -> None:
    lines = lines_of_a_log(capsys, monkeypatch, ticks=10, seconds_each=4.0)

    assert [line.split(",")[0] for line in lines] == [
        "demonstrations: 3 of 10",
        "demonstrations: 6 of 10",
        "demonstrations: 9 of 10",
        "demonstrations: 10 of 10",
    ]
    assert lines[1] == "demonstrations: 6 of 10, 0:00:20, 0:00:16 left, task 6"
    assert "left" not in lines[-1]


def test_a_quick_thing_is_one_line_of_a_log(capsys, monkeypatch) -> None:
    assert len(lines_of_a_log(capsys, monkeypatch, ticks=100, seconds_each=0.01)) == 1


def test_rare_steps_have_an_estimate_too(capsys, monkeypatch) -> None:
    lines = lines_of_a_log(capsys, monkeypatch, ticks=5, seconds_each=100.0)

    assert "0:03:20 left" in lines[2]


def test_each_thing_has_its_own_count(capsys) -> None:
    with progress() as show:
        show("demonstrations", 2, 2)
        show("writing", 1, 3)
        show("writing", 3, 3)

    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("demonstrations: 2 of 2")
    assert second.startswith("writing: 3 of 3")


def test_a_terminal_gets_bars_with_the_time_left(monkeypatch) -> None:
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=100, color_system=None)
    monkeypatch.setattr(progress_module, "console", terminal)

    with progress() as show:
        show("demonstrations", 0, 2, "[drawer-open]")
        show("demonstrations", 2, 2, "[drawer-open]")

    *_, last = shown.getvalue().strip().split("\r")
    for wanted in ("demonstrations", "2/2", "0:00:00", "[drawer-open]"):
        assert wanted in last
