"""tinyvla-gym doctor: what is installed, what is missing, what a rig says, and how to mend it."""

import importlib.util
import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from rich.text import Text

from tinyvla_gym.cli.console import complain, console, write_json
from tinyvla_gym.cli.doctor_rig import examine
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.robots.rig_file import load_rig
from tinyvla_gym.robots.spec import RigSpec

_EXTRAS = {"torch": "tinyvla", "peft": "tinyvla", "diffusers": "tinyvla", "stable_baselines3": "rl"}


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Check this machine, or a rig: Python, OpenGL, a simulator step; controllers and cameras."""

    rig: str | None = None
    """Look at this rig instead: a shipped rig's name, or a YAML file."""
    live: bool = False
    """Let the rig's arms rise by 1 cm and come back, after the rig's serial has been typed."""
    json: Path | None = None
    """Also write the findings to this file."""

    def run(self) -> int:
        """Checks; 0 only if nothing is broken."""
        if self.live and self.rig is None:
            raise ConfigError("--live moves the arms of a rig: name one with --rig.")
        return self._check_machine() if self.rig is None else self._check_rig(load_rig(self.rig))

    def _check_rig(self, rig: RigSpec) -> int:
        found = []
        for one in examine(rig, live=self.live):
            found.append(one)
            style = {"ok": "green", "warn": "yellow", "broken": "red"}[one.verdict]
            remedy = f"; {one.remedy}" if one.remedy else ""
            _say(one.verdict, style, f"{one.name}: {one.fact}{remedy}")
        broken = sum(one.verdict == "broken" for one in found)
        write_json(self.json, {"broken": broken, "findings": [asdict(one) for one in found]})
        if broken:
            complain(f"{broken} of {len(found)} checks failed; see above.")
        return 1 if broken else 0

    def _check_machine(self) -> int:
        checks: dict[str, Callable[[], str]] = {
            "python": platform.python_version,
            "tinyvla-gym": lambda: version("tinyvla-gym"),
            "cores": lambda: str(os.cpu_count()),
            "OpenGL": _check_graphics,
            "simulator": _check_simulator,
            "writable folder": _check_folder,
        }
        findings: dict[str, str] = {}
        broken = 0
        for name, check in checks.items():
            try:
                findings[name] = check()
                _say("ok", "green", f"{name}: {findings[name]}")
            except Exception as error:  # whatever it is, the other checks are worth knowing
                broken += 1
                findings[name] = f"broken: {error}"
                _say("broken", "red", f"{name}: {error}")
        for module, extra in _EXTRAS.items():
            found = importlib.util.find_spec(module) is not None
            findings[module] = (
                "installed" if found else f'missing: pip install "tinyvla-gym[{extra}]"'
            )
            _say(
                "ok" if found else "optional",
                "green" if found else "",
                f"{module}: {findings[module]}",
            )
        write_json(self.json, {"broken": broken, "findings": findings})
        if broken:
            complain(f"{broken} of {len(checks)} checks failed; see above.")
        return 1 if broken else 0


def _say(verdict: str, style: str, finding: str) -> None:
    console.print(Text(f"{verdict:<8}", style=style), finding, soft_wrap=True)


def _check_graphics() -> str:
    from tinyvla_gym.envs import graphics

    with graphics.drawing():
        return graphics.backend()


def _check_simulator() -> str:
    import time

    from tinyvla_gym.envs.make import make_env

    env = make_env("TinyVLA/MetaWorld-reach-v3")
    env.reset(seed=0)
    began_s = time.perf_counter()
    observation, *_ = env.step(env.action_space.sample())
    took_ms = 1e3 * (time.perf_counter() - began_s)
    pictures = [name for name in observation if name.startswith("image_")]
    env.close()
    return f"one step with {len(pictures)} pictures in {took_ms:.0f} ms"


def _check_folder() -> str:
    with tempfile.TemporaryDirectory(dir=Path.cwd()):
        return str(Path.cwd())
