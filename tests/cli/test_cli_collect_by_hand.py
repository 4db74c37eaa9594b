"""tinyvla-gym collect --teleop, with a person who is a script."""

import io
from itertools import chain, repeat

import numpy as np
import pytest

from tinyvla_gym.cli.picture import TerminalPicture, blocks
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.robots.teleop import scripted
from tinyvla_gym.robots.teleop.device import Reading
from tinyvla_gym.robots.teleop.scripted import ScriptedDevice

MOVING = Reading(stamp_s=0.0, engaged=True, twist=np.eye(6)[0])
KEEP = Reading(stamp_s=0.0, engaged=True, verdict="keep")
DISCARD = Reading(stamp_s=0.0, engaged=True, verdict="discard")
DEVICE = f"{scripted.__name__}:Person"
COLLECT = ("collect", "reach-toy", "--teleop", DEVICE, "--horizon", 40)


@pytest.fixture
def person(monkeypatch):
    """Installs a person who does what a test says."""

    def install(*readings):
        left = chain(readings, repeat(MOVING))  # the same person, however often asked
        monkeypatch.setattr(scripted, "Person", lambda: ScriptedDevice(left), raising=False)

    return install


def test_what_a_person_keeps_is_a_dataset_and_what_is_discarded_is_played_again(
    cli, person, tmp_path
) -> None:
    person(MOVING, MOVING, KEEP, MOVING, DISCARD, MOVING, MOVING, MOVING, KEEP)

    answer = cli(*COLLECT, "--episodes", 2, "--seed", 7, "--out", tmp_path / "data")

    assert (answer.code, answer.err) == (0, "")
    assert "2 of 3 attempts kept" in answer.out
    dataset = Dataset(tmp_path / "data")
    assert dataset.seeds == (7, 8)
    assert dataset.sources == ("human", "human")
    assert [len(dataset.episode(index)) for index in range(2)] == [3, 4]
    first = dataset.episode(0)
    np.testing.assert_array_equal(first.action, first.sent_action)


def test_an_interrupted_collection_goes_on_where_it_was(
    cli, refused, person, monkeypatch, tmp_path
) -> None:
    gone = ScriptedDevice([MOVING, KEEP, MOVING])
    monkeypatch.setattr(scripted, "Person", lambda: gone, raising=False)
    assert "it is over" in refused(*COLLECT, "--episodes", 2, "--out", tmp_path / "data")

    person(MOVING, MOVING, KEEP)
    answer = cli(*COLLECT, "--episodes", 2, "--out", tmp_path / "data", "--resume")

    assert answer.code == 0, answer.err
    assert Dataset(tmp_path / "data").seeds == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["reach-toy", "--teleop", "keybord"], "Did you mean 'keyboard'"),
        (["reach-toy", "reach", "--teleop", "keyboard"], "one env at a time, not 2"),
        (["reach-toy", "--teleop", "keyboard"], "no terminal"),
    ],
)
def test_a_mistake_is_told(refused, monkeypatch, tmp_path, arguments, complaint) -> None:
    with open(tmp_path / "file", "w+") as file:
        monkeypatch.setattr("sys.stdin", file)
        assert complaint in refused("collect", *arguments, "--out", tmp_path / "data")


def test_pictures_are_drawn_with_two_pixels_in_a_character() -> None:
    picture = np.zeros((2, 1, 3), np.uint8)
    picture[1, 0] = (9, 8, 7)

    assert blocks(picture) == "\x1b[38;2;0;0;0;48;2;9;8;7m\u2580\x1b[0m\n"


def test_the_terminal_shows_the_cameras_and_the_sentence() -> None:
    out = io.StringIO()
    screen = TerminalPicture("w moves", out=out, clock=lambda: 0.0)
    seen = {"image_top": np.zeros((32, 32, 3), np.uint8), "state": np.zeros(4)}

    screen.on_reset(seen, {"seed": 4, "instruction": "touch red"})
    screen.on_end(None)

    assert "seed 4: touch red\nw moves\nbroken off\n" in out.getvalue()
