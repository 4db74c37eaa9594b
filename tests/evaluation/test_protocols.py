"""Tests for evaluation/protocols.py."""

import json
from dataclasses import fields, replace

import pytest

from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.evaluation.protocols import PROTOCOLS, Protocol, named_protocol

OTHER = {  # another value for every condition
    "track": "privileged",
    "cameras": {"topview": 64},
    "crop_frac": 0.5,
    "picture_px": 32,
    "profile": "fast-1",
    "goal_marker": False,
    "randomize": "light",
    "state_entries": 7,
    "settle": 3,
    "horizon": 77,
    "terminate_on_success": False,
    "instructions": "heldout",
    "sentences": {"push": "push it"},
    "episodes": 7,
    "seed": 2_000_000,
    "average": "task",
    "judge": "person",
    "execute": 3,
    "delay": 4,
}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_keeps_its_name_as_long_as_nothing_changes(name) -> None:
    protocol = named_protocol(name, suite="mt50")

    assert protocol.title == name
    assert named_protocol(name, suite="mt10", parallel=3).hash == protocol.hash


def test_hashes_differ() -> None:
    assert len({named_protocol(name, suite="mt50").hash for name in PROTOCOLS}) == len(PROTOCOLS)


@pytest.mark.parametrize("setting", OTHER)
def test_whatever_changes_is_said_and_changes_the_hash(setting) -> None:
    pure = named_protocol("native", suite="mt50")

    changed = named_protocol("native", suite="mt50", **{setting: OTHER[setting]})

    assert changed.hash != pure.hash
    assert changed.title.startswith("native, changed: ")
    assert setting in changed.title
    assert list(changed.changes) == [setting]


def test_every_condition_is_among_those() -> None:
    known = {entry.name for entry in fields(Protocol)}

    assert known - OTHER.keys() == {"suite", "name", "parallel"}


def test_a_name_that_is_only_claimed_is_not_believed() -> None:
    claimed = Protocol(suite="mt50", name="lerobot")

    assert claimed.title.startswith("lerobot, changed: ")
    assert "profile" in claimed.title


def test_other_peoples_sentences_change_the_hash_and_not_the_name() -> None:
    one = named_protocol("lerobot", suite="mt1:push", sentences={"push": "push the puck"})
    other = named_protocol("lerobot", suite="mt1:push", sentences={"push": "shove the puck"})

    assert one.title == other.title == "lerobot"
    assert one.hash != other.hash


def test_a_protocol_is_read_back_from_json() -> None:
    protocol = named_protocol("evo1", suite="hard", episodes=3, sentences={"push": "push"})

    again = Protocol.from_dict(json.loads(json.dumps(protocol.to_dict())))

    assert again == protocol
    assert (again.hash, again.title) == (protocol.hash, "evo1, changed: episodes 3")


def test_the_flags_say_how_to_play_it_again() -> None:
    protocol = named_protocol("native", suite="mt10", episodes=5, delay=2)

    wanted = "--suite mt10 --protocol native --episodes 5 --delay 2 --parallel 10"
    assert protocol.flags == wanted


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'lerobot'"):
        named_protocol("le-robot", suite="mt50")
    with pytest.raises(UnknownNameError, match="no protocol 'nativ'"):
        Protocol(suite="mt50", name="nativ")


def test_a_negative_delay_is_refused() -> None:
    with pytest.raises(ConfigError, match="delay must be at least 0, got -1"):
        replace(Protocol(suite="mt50"), delay=-1)
