"""The keyboard on a terminal of its own, and a SpaceMouse whose library is a stand-in."""

import contextlib
import os
import pty
import sys
import termios
import time
from types import SimpleNamespace

import pytest

from tinyvla_gym.errors import MissingExtraError
from tinyvla_gym.robots.teleop.device import DeviceError
from tinyvla_gym.robots.teleop.keyboard import Keyboard
from tinyvla_gym.robots.teleop.spacemouse import SpaceMouse


@pytest.fixture
def terminal():
    """A terminal: where a person types, and where a program reads."""
    typed, read = pty.openpty()
    yield typed, read
    for end in (typed, read):
        with contextlib.suppress(OSError):
            os.close(end)


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def keyboard(terminal, clock):
    keyboard = Keyboard(descriptor=terminal[1], now=lambda: clock[0])
    keyboard.open()
    yield keyboard
    keyboard.close()


def typed(terminal, keyboard, keys):
    os.write(terminal[0], keys)
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:  # a terminal may take a moment
        reading = keyboard.read()
        if reading.engaged:
            return reading
    raise AssertionError("the keys never came")


def test_a_key_moves_while_it_repeats_and_the_switch_outlasts_it(terminal, keyboard, clock) -> None:
    assert not keyboard.read().engaged

    assert typed(terminal, keyboard, b"w").twist.tolist() == [1, 0, 0, 0, 0, 0]
    clock[0] += 0.2
    assert keyboard.read().twist.tolist() == [0] * 6
    assert keyboard.read().engaged
    clock[0] += 0.5
    assert not keyboard.read().engaged


def test_keys_for_turns_gripper_and_the_other_arm(terminal, keyboard) -> None:
    assert typed(terminal, keyboard, b"J").twist.tolist() == [0, 0, 0, 0, 0, 1]
    os.write(terminal[0], b"\tz")
    time.sleep(0.05)

    reading = keyboard.read()

    assert (reading.arm, reading.gripper) == (1, 1.0)


@pytest.mark.parametrize(("key", "verdict"), [(b"\n", "keep"), (b"\x7f", "discard")])
def test_a_verdict_is_said_once(terminal, keyboard, key, verdict) -> None:
    assert typed(terminal, keyboard, key).verdict == verdict
    assert keyboard.read().verdict is None


def test_space_stops_a_motion(terminal, keyboard) -> None:
    typed(terminal, keyboard, b"w")

    assert not typed(terminal, keyboard, b" ").twist.any()


def test_the_terminal_is_as_it_was_and_a_closed_keyboard_is_told(terminal) -> None:
    before = termios.tcgetattr(terminal[1])
    keyboard = Keyboard(descriptor=terminal[1])
    keyboard.open()
    assert termios.tcgetattr(terminal[1]) != before

    keyboard.close()
    keyboard.close()

    assert termios.tcgetattr(terminal[1]) == before
    with pytest.raises(DeviceError, match="not open"):
        keyboard.read()


def test_a_terminal_that_is_gone_is_told(terminal) -> None:
    keyboard = Keyboard(descriptor=terminal[1])
    keyboard.open()
    os.close(terminal[0])

    with pytest.raises(DeviceError, match="gone"):
        wait_until(lambda: keyboard.read() is None)


def test_without_a_terminal_there_is_no_keyboard(tmp_path) -> None:
    with open(tmp_path / "file", "w") as file, pytest.raises(DeviceError, match="no terminal"):
        Keyboard(descriptor=file.fileno()).open()


class Mouse:
    """What ``pyspacemouse`` opens, as far as it is used."""

    def __init__(self):
        self.connected, self.closed, self.problem = True, False, None
        self.state = self.at(0.0)

    @staticmethod
    def at(t, x=0.0, buttons=(0, 0)):
        return SimpleNamespace(
            t=t, x=x, y=0.0, z=0.0, roll=0.0, pitch=0.0, yaw=0.0, buttons=list(buttons)
        )

    def read(self):
        if self.problem:
            raise self.problem
        return self.state

    def close(self):
        self.closed = True


@pytest.fixture
def mouse(monkeypatch):
    mouse = Mouse()

    def open_mouse(axis_convention):
        if not mouse.connected:
            raise RuntimeError("No connected or supported devices found")
        assert axis_convention == "ros"
        return mouse

    library = SimpleNamespace(open=open_mouse, AxisConvention=SimpleNamespace(ROS="ros"))
    monkeypatch.setitem(sys.modules, "pyspacemouse", library)
    return mouse


def wait_until(happens) -> None:
    deadline_s = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < deadline_s, "it never happened"
        time.sleep(0.002)


def test_the_left_button_is_the_switch_and_the_right_one_the_gripper(mouse) -> None:
    device = SpaceMouse()
    device.open()
    mouse.state = mouse.at(1.0, x=0.5, buttons=(1, 0))
    wait_until(lambda: device.read().engaged)
    assert device.read().twist.tolist() == [0.5, 0, 0, 0, 0, 0]

    for opening in (-1.0, 1.0):
        mouse.state = mouse.at(2.0, buttons=(1, 1))
        wait_until(lambda wanted=opening: device.read().gripper == wanted)
        mouse.state = mouse.at(3.0, x=0.05, buttons=(1, 0))
        wait_until(lambda: device._buttons == (1, 0))

    assert not device.read().twist.any()  # the cap is never quite at rest
    device.close()
    assert mouse.closed


def test_a_pushed_cap_that_says_nothing_new_is_silent_and_one_at_rest_is_not(mouse) -> None:
    clock = [0.0]
    device = SpaceMouse(now=lambda: clock[0])
    device.open()
    mouse.state = mouse.at(1.0, x=0.5, buttons=(1, 0))
    wait_until(lambda: device.read().twist.any())
    clock[0] = 7.0
    time.sleep(0.05)
    assert device.read().stamp_s == 0.0

    mouse.state = mouse.at(1.0, buttons=(1, 0))
    wait_until(lambda: device.read().stamp_s == 7.0)
    device.close()


@pytest.mark.parametrize("how", ["raises", "says so"])
def test_an_unplugged_mouse_is_told(mouse, how: str) -> None:
    device = SpaceMouse()
    device.open()
    if how == "raises":
        mouse.problem = OSError("read failed")
    else:
        mouse.connected = False

    with pytest.raises(DeviceError, match="gone"):
        wait_until(lambda: device.read() is None)
    device.close()


def test_a_mouse_that_is_not_there_or_has_no_library_is_told(mouse, monkeypatch) -> None:
    mouse.connected = False
    with pytest.raises(DeviceError, match="plugged in"):
        SpaceMouse().open()

    monkeypatch.setitem(sys.modules, "pyspacemouse", None)
    with pytest.raises(MissingExtraError, match="teleop"):
        SpaceMouse().open()
