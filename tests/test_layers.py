"""Who may import whom, inside the package and outside it. CONTRIBUTING.md explains the floors."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tinyvla_gym"

FLOORS = (
    {"interface", "events", "errors", "look", "pose", "nameless_memory", "cores"},
    {"policies", "robots", "data"},
    {
        "envs",
        "wrappers",
        "chunking",
        "loop",
        "delay",
        "evaluation",
        "live",
        "video",
        "intervention",
    },
    {"training", "rl", "serving", "contracts", "demonstrations", "__init__"},
    {"cli", "__main__"},
)
FLOOR = {part: height for height, parts in enumerate(FLOORS) for part in parts}

SIDEWAYS = {  # one way only, so there is never a circle
    ("interface", "errors"),
    ("events", "interface"),
    ("look", "errors"),
    ("wrappers", "envs"),
    ("loop", "chunking"),
    ("loop", "envs"),  # one function: whether an env can advance without looking
    ("delay", "chunking"),
    ("intervention", "chunking"),
    ("evaluation", "chunking"),
    ("evaluation", "delay"),
    ("evaluation", "loop"),
    ("evaluation", "envs"),  # suites are made of tasks
    ("evaluation", "video"),
}

ANYWHERE = {"gymnasium", "numpy", "scipy"}
DOORS = {  # outside library: what the paths of the files that may import it begin with
    "torch": ("policies/tinyvla", "policies/openvla", "training/", "rl/"),
    "transformers": ("policies/tinyvla", "policies/openvla", "training/"),
    "tokenizers": ("policies/tinyvla",),
    "peft": ("policies/tinyvla", "training/"),
    "diffusers": ("policies/tinyvla", "training/"),
    "safetensors": ("policies/", "training/"),
    "onnx": ("policies/tinyvla/onnx_weights.py",),
    "onnxruntime": ("policies/onnx", "policies/tinyvla/onnx_export.py"),
    "accelerate": ("training/",),
    "tensorboard": ("training/",),
    "huggingface_hub": ("policies/",),
    "stable_baselines3": ("rl/",),
    "metaworld": ("envs/",),
    "mujoco": ("envs/",),
    "fast_simplification": ("envs/",),
    "OpenGL": ("envs/",),
    "glfw": ("envs/",),
    "pyarrow": ("data/",),
    "av": ("data/",),
    "h5py": ("data/",),
    "minari": ("data/",),
    "PIL": ("data/", "policies/tinyvla", "policies/openvla", "video.py"),
    "imageio": ("video.py",),
    "ray": ("evaluation/cluster.py",),
    "cv2": ("robots/calibration/", "robots/cameras/"),
    "pyrealsense2": ("robots/cameras/",),
    "pyspacemouse": ("robots/teleop/",),
    "yaml": ("robots/",),
    "dashboard_client": ("robots/drivers/",),  # the three parts of ur-rtde
    "rtde_control": ("robots/drivers/",),
    "rtde_receive": ("robots/drivers/",),
    "franky": ("robots/drivers/",),
    "panda_py": ("robots/drivers/",),
    "franky_sim": ("robots/emulators/",),
    "franka_sim": ("robots/emulators/franka_reflex_server.py",),
    "tyro": ("cli/",),
    "rich": ("cli/",),
}


def imported_names(path: Path) -> Iterator[tuple[int, str]]:
    """Yields line and full name of everything that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def inner_complaint(here: str, name: str) -> str | None:
    """Says what is wrong when one part of the package imports ``tinyvla_gym...``."""
    there = [*name.split("."), ""][1]
    if there == "__version__":
        return None
    if there not in FLOOR:
        return f"{name} must be imported from the module that defines it"
    if here == there or FLOOR[there] < FLOOR[here] or (here, there) in SIDEWAYS:
        return None
    return f"{here} (floor {FLOOR[here]}) must not import {there} (floor {FLOOR[there]})"


def outer_complaint(place: str, library: str) -> str | None:
    """Says what is wrong when the file at ``place`` imports an outside library."""
    if library in sys.stdlib_module_names or library in ANYWHERE:
        return None
    if library not in DOORS:
        return f"{library} has no door: say in DOORS which files may import it"
    if place.startswith(DOORS[library]):
        return None
    return f"{library} may be imported in {', '.join(DOORS[library])} only"


def complaints(path: Path, package: Path = PACKAGE) -> list[str]:
    """Says which import statements of a file break a rule."""
    place = path.relative_to(package).as_posix()
    here = place.split("/")[0].removesuffix(".py")
    if here not in FLOOR:
        return [f"{place}: {here} has no floor: give it one in FLOORS"]
    found = []
    for line, name in imported_names(path):
        root = name.split(".")[0]
        if not root:
            problem = f"{name} is a relative import"
        elif root == "tinyvla_gym":
            problem = inner_complaint(here, name)
        else:
            problem = outer_complaint(place, root)
        if problem:
            found.append(f"{place}:{line}: {problem}")
    return found


def place_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=place_of)
def test_imports_point_down_and_libraries_use_their_doors(path: Path) -> None:
    assert not complaints(path)


def write(folder: Path, place: str, source: str) -> Path:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    return path


SOUND = {
    "down one floor": ("envs/reach.py", "from tinyvla_gym.data.episode import Episode"),
    "down to the ground": ("cli/main.py", "import tinyvla_gym.errors"),
    "within its own part": ("data/windows.py", "from tinyvla_gym.data import episode"),
    "a named exception": ("loop.py", "from tinyvla_gym.chunking import Agent"),
    "public names": ("__init__.py", "from tinyvla_gym.envs.registration import register_all"),
    "the version": ("evaluation/report.py", "from tinyvla_gym import __version__"),
    "a door": ("policies/tinyvla/model.py", "import torch.nn.functional as F"),
    "a door that is a file": ("video.py", "import imageio.v3 as iio"),
    "no door needed": ("interface.py", "import json\nimport numpy as np"),
}


@pytest.mark.parametrize(("place", "source"), SOUND.values(), ids=SOUND.keys())
def test_a_sound_import_passes(place: str, source: str, tmp_path: Path) -> None:
    path = write(tmp_path, place, source)

    assert complaints(path, tmp_path) == []


BROKEN = {
    "upwards": (
        "envs/reach.py",
        "from tinyvla_gym.training.loop import train",
        "envs/reach.py:1: envs (floor 2) must not import training (floor 3)",
    ),
    "sideways": (
        "policies/policy.py",
        "\nimport tinyvla_gym.data.episode",
        "policies/policy.py:2: policies (floor 1) must not import data (floor 1)",
    ),
    "against a named exception": (
        "chunking.py",
        "from tinyvla_gym.loop import rollout",
        "chunking.py:1: chunking (floor 2) must not import loop (floor 2)",
    ),
    "inside a function": (
        "data/recorder.py",
        "def look():\n    from tinyvla_gym.envs.env import ManipulationEnv",
        "data/recorder.py:2: data (floor 1) must not import envs (floor 2)",
    ),
    "for type checkers only": (
        "events.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tinyvla_gym.cli.main",
        "events.py:3: events (floor 0) must not import cli (floor 4)",
    ),
    "as a name of the package": (
        "wrappers/noise.py",
        "from tinyvla_gym import rl",
        "wrappers/noise.py:1: wrappers (floor 2) must not import rl (floor 3)",
    ),
    "through the package's public names": (
        "rl/finetune.py",
        "from tinyvla_gym import load_policy",
        "rl/finetune.py:1: tinyvla_gym.load_policy must be imported from the module that "
        "defines it",
    ),
    "the package itself": (
        "contracts.py",
        "import tinyvla_gym",
        "contracts.py:1: tinyvla_gym must be imported from the module that defines it",
    ),
    "heavy parts from the public names": (
        "__init__.py",
        "import tinyvla_gym.rl.finetune",
        "__init__.py:1: __init__ (floor 3) must not import rl (floor 3)",
    ),
    "relative": (
        "envs/metaworld.py",
        "from .env import ManipulationEnv",
        "envs/metaworld.py:1: .env.ManipulationEnv is a relative import",
    ),
    "a part without a floor": (
        "gadgets/clock.py",
        "",
        "gadgets/clock.py: gadgets has no floor: give it one in FLOORS",
    ),
    "torch on a robot's computer": (
        "policies/load.py",
        "def load():\n    import torch",
        "policies/load.py:2: torch may be imported in "
        "policies/tinyvla, policies/openvla, training/, rl/ only",
    ),
    "a file format outside data": (
        "evaluation/table.py",
        "import pyarrow.parquet as pq",
        "evaluation/table.py:1: pyarrow may be imported in data/ only",
    ),
    "a new library": (
        "data/store.py",
        "from zarr import open_group",
        "data/store.py:1: zarr has no door: say in DOORS which files may import it",
    ),
}


@pytest.mark.parametrize(("place", "source", "complaint"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_import_is_named(place: str, source: str, complaint: str, tmp_path: Path) -> None:
    path = write(tmp_path, place, source)

    assert complaints(path, tmp_path) == [complaint]
