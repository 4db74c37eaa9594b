import os
import subprocess
import sys

import pytest

from tinyvla_gym.envs import graphics
from tinyvla_gym.errors import GraphicsError


@pytest.fixture
def no_choice(monkeypatch):
    """A Linux on which the user chose no back end; what the test sets is undone."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("MUJOCO_GL", "")


def loads_only(*libraries):
    return lambda library: library in libraries


def test_without_a_library_the_error_says_what_to_install(monkeypatch, no_choice) -> None:
    monkeypatch.setattr(graphics, "_loads", loads_only())

    with pytest.raises(GraphicsError, match="sudo apt-get install -y libegl1 libgl1-mesa-dri"):
        graphics.backend()


def test_a_library_that_is_not_there_does_not_load() -> None:
    assert not graphics._loads("libNoSuchThing.so.1")


@pytest.mark.parametrize(
    ("libraries", "wanted"),
    [
        (("libEGL.so.1", "libOSMesa.so.8"), "egl"),
        (("libEGL.so.1",), "egl"),
        (("libOSMesa.so.8",), "osmesa"),
    ],
)
def test_egl_comes_first_then_osmesa(monkeypatch, no_choice, libraries, wanted) -> None:
    monkeypatch.setattr(graphics, "_loads", loads_only(*libraries))

    assert graphics.backend() == wanted
    assert os.environ["MUJOCO_GL"] == wanted


@pytest.mark.parametrize("choice", ["osmesa", "glfw", "EGL"])
def test_what_the_user_chose_is_left_alone(monkeypatch, no_choice, choice) -> None:
    monkeypatch.setenv("MUJOCO_GL", choice)
    monkeypatch.setattr(graphics, "_loads", loads_only())

    assert graphics.backend() == choice.lower()
    assert os.environ["MUJOCO_GL"] == choice


def test_other_systems_are_left_alone(monkeypatch, no_choice) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    assert graphics.backend() == "glfw"
    assert os.environ["MUJOCO_GL"] == ""


def test_a_back_end_that_does_not_start_is_named() -> None:
    code = (
        "from tinyvla_gym.envs import graphics\n"
        "from tinyvla_gym.errors import GraphicsError\n"
        "try:\n    with graphics.drawing(): pass\n"
        "except GraphicsError as error: print(error)"
    )
    # A display that is none: GLFW cannot open a window there.
    environment = {**os.environ, "MUJOCO_GL": "glfw", "DISPLAY": ":987", "WAYLAND_DISPLAY": ""}

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "'glfw' does not start" in done.stdout
    assert graphics.DEBIAN_REMEDY in done.stdout
    assert done.stderr == ""


def test_a_process_that_has_drawn_ends_quietly() -> None:
    code = (
        "from tinyvla_gym.envs.metaworld import MetaWorldEnv\n"
        "for task in ('reach', 'drawer-open'):\n"
        "    MetaWorldEnv(task=task, cameras={'corner4': 16}).reset(seed=0)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
