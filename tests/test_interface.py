import json
import string
from dataclasses import FrozenInstanceError, asdict, fields, replace

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from tinyvla_gym.errors import ConfigError, InstructionError
from tinyvla_gym.interface import (
    INSTRUCTION_CHARACTERS,
    INSTRUCTION_LENGTH,
    Camera,
    Interface,
    check_instruction,
)

PLAIN = Interface(
    cameras=(Camera(name="top", height=4, width=6), Camera(name="wrist", height=2, width=3)),
    state=("x_m", "gripper_open_frac"),
    state_low=(-0.5, 0.0),
    state_high=(0.5, 1.0),
    action=("dx_cm", "dy_cm", "gripper_close_frac"),
    action_low=(-1.0, -1.0, 0.0),
    action_high=(1.0, 1.0, 1.0),
    control_hz=20.0,
    action_mode="native",
)

names = st.text(string.ascii_lowercase + "_", min_size=1, max_size=8).filter(str.isidentifier)
numbers = st.floats(-1e6, 1e6, width=32)
cameras = st.builds(Camera, name=names, height=st.integers(1, 9), width=st.integers(1, 9))


@st.composite
def entries(draw: st.DrawFn) -> dict[str, tuple]:
    """Names and bounds of a few state or action entries, lower bounds first."""
    rows = draw(st.lists(st.tuples(names, numbers, numbers), min_size=1, max_size=5))
    bounds = [sorted(row[1:]) for row in rows]
    return {
        "names": tuple(row[0] for row in rows),
        "low": tuple(low for low, _ in bounds),
        "high": tuple(high for _, high in bounds),
    }


@st.composite
def interfaces(draw: st.DrawFn) -> Interface:
    state, action = draw(entries()), draw(entries())
    return Interface(
        cameras=tuple(draw(st.lists(cameras, max_size=3, unique_by=lambda camera: camera.name))),
        state=state["names"],
        state_low=state["low"],
        state_high=state["high"],
        action=action["names"],
        action_low=action["low"],
        action_high=action["high"],
        control_hz=draw(st.floats(0.1, 1000.0)),
        action_mode=draw(st.sampled_from(["native", "ee"])),
    )


@given(interfaces())
def test_an_interface_survives_json_unchanged(interface: Interface) -> None:
    read = Interface.from_dict(json.loads(json.dumps(interface.to_dict())))

    assert read == interface
    assert read.differences(interface) == []
    assert hash(read) == hash(interface)


@given(interfaces())
def test_the_spaces_have_the_promised_shapes_types_and_bounds(interface: Interface) -> None:
    observation = interface.observation_space()
    action = interface.action_space()

    assert set(observation) == {
        "state",
        "instruction",
        *(f"image_{camera.name}" for camera in interface.cameras),
    }
    for camera in interface.cameras:
        assert observation[f"image_{camera.name}"] == spaces.Box(
            0, 255, (camera.height, camera.width, 3), np.uint8
        )
    for space, low, high in (
        (observation["state"], interface.state_low, interface.state_high),
        (action, interface.action_low, interface.action_high),
    ):
        assert space.dtype == np.float32
        np.testing.assert_array_equal(space.low, np.float32(low))
        np.testing.assert_array_equal(space.high, np.float32(high))


FIELDS = [field.name for field in fields(Interface)]


@given(interfaces(), interfaces(), st.sets(st.sampled_from(["cameras", "control_hz", "state"])))
def test_differences_name_the_fields_that_differ_and_no_others(
    one: Interface, other: Interface, mixed: set[str]
) -> None:
    taken = {field for field in FIELDS if field.split("_low")[0].split("_high")[0] in mixed}
    two = replace(one, **{field: getattr(other, field) for field in taken})

    named = {line.split(":")[0] for line in one.differences(two)}

    assert named == {field for field in taken if getattr(one, field) != getattr(other, field)}


def test_a_difference_shows_both_sides() -> None:
    other = replace(PLAIN, control_hz=80.0, cameras=PLAIN.cameras[:1])

    assert PLAIN.differences(other) == [
        "cameras: top 4x6, wrist 2x3 against top 4x6",
        "control_hz: 20.0 against 80.0",
    ]
    assert replace(other, cameras=()).differences(other) == ["cameras: none against top 4x6"]


def test_the_order_of_cameras_is_part_of_the_interface() -> None:
    assert PLAIN.differences(replace(PLAIN, cameras=PLAIN.cameras[::-1]))


def test_an_interface_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        PLAIN.control_hz = 10.0  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"state_low": (0.0,)}, "state has 2 names, 1 lower and 2 upper bounds"),
        ({"action": ("dx_cm",)}, "action has 1 names, 3 lower and 3 upper bounds"),
        ({"cameras": PLAIN.cameras[:1] * 2}, "Two cameras share a name: top, top"),
    ],
)
def test_an_interface_that_contradicts_itself_is_refused(change: dict, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        replace(PLAIN, **change)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "left wrist"}, "must be an identifier, got 'left wrist'"),
        ({"height": 0}, "Camera top needs a positive size, got 0 x 6 px"),
        ({"width": -6}, "Camera top needs a positive size, got 4 x -6 px"),
    ],
)
def test_an_impossible_camera_is_refused(change: dict, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Camera(**{**asdict(PLAIN.cameras[0]), **change})


@given(st.text(INSTRUCTION_CHARACTERS, max_size=INSTRUCTION_LENGTH))
def test_any_short_printable_ascii_sentence_passes_unchanged(sentence: str) -> None:
    assert check_instruction(sentence) is sentence
    assert sentence in PLAIN.observation_space()["instruction"]


@given(st.text(max_size=20), st.characters(exclude_characters=INSTRUCTION_CHARACTERS))
def test_any_other_character_is_named(sentence: str, stranger: str) -> None:
    with pytest.raises(InstructionError) as caught:
        check_instruction(sentence + stranger)

    assert repr(stranger) in str(caught.value)
    assert sentence + stranger not in PLAIN.observation_space()["instruction"]


@given(st.text(INSTRUCTION_CHARACTERS, min_size=INSTRUCTION_LENGTH + 1, max_size=400))
def test_a_sentence_that_is_too_long_is_refused(sentence: str) -> None:
    with pytest.raises(InstructionError, match=f"has {len(sentence)} characters, more than 256"):
        check_instruction(sentence)

    assert sentence not in PLAIN.observation_space()["instruction"]
