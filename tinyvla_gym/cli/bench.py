"""tinyvla-gym bench: ours against a peer, from a checkout of the repository."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

import tinyvla_gym.cli
from tinyvla_gym.errors import ConfigError

_CHECKOUT = Path(tinyvla_gym.cli.__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Measure ours against a peer, interleaved, beside the check that makes them comparable.

    Needs a checkout of the repository, and an idle machine: `python -m benchmarks --help` there
    lists what can be measured.
    """

    name: Annotated[str, tyro.conf.Positional]
    """step, step-envpool, pixels, pixels-envpool, order, demonstrations, construction,
    evaluation, evaluation-nano, memory; or plot."""
    rounds: int = 5
    """Interleaved rounds, at least 5."""
    tasks: str = ""
    """all, a number of tasks spread over all, or names with commas; as many as take about three
    minutes if not given."""
    busy: bool = False
    """Measure although the machine is busy, and mark the findings."""
    json: Path | None = None
    """Also put the findings into this file, beside those it holds."""

    def run(self) -> int:
        """Hands over to the checkout's ``benchmarks`` package."""
        if not (_CHECKOUT / "benchmarks/__main__.py").exists():
            raise ConfigError(
                "The benchmarks and their peers are not part of the installed package.\n"
                "Clone the repository, run `make setup` in it, and then: "
                f".venv/bin/tinyvla-gym bench {self.name}"
            )
        command = [sys.executable, "-m", "benchmarks", self.name, "--rounds", str(self.rounds)]
        command += [f"--tasks={self.tasks}"] if self.tasks else []
        command += ["--busy"] if self.busy else []
        command += ["--json", str(self.json)] if self.json else []
        paths = (str(_CHECKOUT), os.environ.get("PYTHONPATH"))
        path = os.pathsep.join(filter(None, paths))
        return subprocess.run(
            command, env={**os.environ, "PYTHONPATH": path}, check=False
        ).returncode
