"""Importing the package stays light, and the base install works without any extra."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tinyvla_gym

PACKAGE = Path(tinyvla_gym.__file__).parent  # the installed one

HEAVY = (
    *("PIL", "av", "h5py", "imageio", "metaworld", "mujoco", "pyarrow", "rich", "scipy"),
    *("stable_baselines3", "torch", "transformers", "tyro"),
)
EXTRAS = (
    *("accelerate", "diffusers", "peft", "safetensors", "tensorboard", "torch", "transformers"),
    *("stable_baselines3", "msgpack", "websockets", "h5py", "minari"),
    *("franky", "franky_sim", "panda_py", "rtde_control", "rtde_receive", "dashboard_client"),
)
NEEDS_AN_EXTRA = ("policies/tinyvla", "policies/openvla", "training", "rl", "serving")

IMPORT_AND_LOOK = """
import importlib, json, sys
heavy, name = json.loads(sys.argv[1])
importlib.import_module(name)
print(json.dumps([library for library in heavy if library in sys.modules]))
"""
IMPORT_WITHOUT_EXTRAS = """
import importlib, json, sys
extras, names = json.loads(sys.argv[1])

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in extras:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
failures = {}
for name in names:
    try:
        importlib.import_module(name)
    except Exception as error:
        failures[name] = f"{type(error).__name__}: {error}"
print(json.dumps(failures))
"""
PLAN_WITHOUT_EXTRAS = """
import json, sys
extras, name = json.loads(sys.argv[1])

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in extras:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
from tinyvla_gym import load_policy
policy = load_policy(name)
seen = policy.spec.interface.observation_space().sample()
chunk = policy.plan({**seen, "instruction": "open the drawer"})
print(json.dumps([type(policy).__name__, *chunk.shape]))
"""


def run(program: str, facts: object, folder: Path | None = None) -> Any:
    """Runs a program in a fresh interpreter, modules of ``folder`` first; reads its answer."""
    command = [sys.executable, "-P", "-c", program, json.dumps(facts)]
    environment = {**os.environ, "PYTHONPATH": str(folder)} if folder else None
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def modules(package: Path) -> list[str]:
    """Names every module of a package that the base install must be able to import."""
    places = [path.relative_to(package).with_suffix("") for path in sorted(package.rglob("*.py"))]
    light = [place for place in places if not place.as_posix().startswith(NEEDS_AN_EXTRA)]
    return [".".join((package.name, *place.parts)).removesuffix(".__init__") for place in light]


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert run(IMPORT_AND_LOOK, (HEAVY, "tinyvla_gym")) == []


def test_every_module_outside_the_extras_can_be_imported_without_them() -> None:
    names = modules(PACKAGE)

    assert "tinyvla_gym.envs.env" in names
    assert run(IMPORT_WITHOUT_EXTRAS, (EXTRAS, names)) == {}


@pytest.mark.parametrize("name", ["nano", "nano-mt10"])
def test_a_bundled_policy_plans_without_extras(name: str) -> None:
    assert run(PLAN_WITHOUT_EXTRAS, (EXTRAS, name)) == ["OnnxPolicy", 16, 4]


def write(path: Path, source: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)


@pytest.mark.parametrize("how", ["import torch", "from torch.nn import Module"])
def test_a_package_that_loads_something_heavy_is_caught(how: str, tmp_path: Path) -> None:
    write(tmp_path / "torch/__init__.py")
    write(tmp_path / "torch/nn.py", "Module = object")
    write(tmp_path / "subject/__init__.py", "import subject.inner")
    write(tmp_path / "subject/inner.py", how)

    assert run(IMPORT_AND_LOOK, (HEAVY, "subject"), tmp_path) == ["torch"]


def test_a_module_that_cannot_live_without_an_extra_is_caught(tmp_path: Path) -> None:
    write(tmp_path / "torch.py")
    write(tmp_path / "subject/__init__.py")
    write(tmp_path / "subject/eager.py", "import torch")
    write(tmp_path / "subject/lazy.py", "def load():\n    import torch")
    write(tmp_path / "subject/training/loop.py", "import torch")

    failures = run(IMPORT_WITHOUT_EXTRAS, (EXTRAS, modules(tmp_path / "subject")), tmp_path)

    assert failures == {"subject.eager": "ModuleNotFoundError: No module named 'torch'"}
