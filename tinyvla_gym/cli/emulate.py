"""tinyvla-gym emulate: controllers on loopback addresses, for trying rigs without a robot."""

import contextlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from tinyvla_gym.cli.console import print_table, write_json
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.robots.emulators.robotiq import RobotiqEmulator
from tinyvla_gym.robots.emulators.ur import UrEmulator
from tinyvla_gym.robots.rig_file import load_rig

_FIRST = 11  # last number of the first arm's address


@dataclass(frozen=True, kw_only=True)
class Emulate:
    """Serve emulated controllers on 127.0.0.11 and 127.0.0.12 until interrupted."""

    what: Annotated[Literal["ur", "robotiq"], tyro.conf.Positional]
    """ur: Universal Robots controllers with grippers. robotiq: grippers alone."""
    arms: int = 2
    """How many, 1 or 2."""
    model: Literal["ur5e", "ur5"] = "ur5e"
    """Which arm: ur5e runs at 500 Hz, ur5 at 125 Hz."""
    json: Path | None = None
    """Also write the addresses to this file."""

    def run(self) -> int:
        """Serves until interrupted."""
        if self.arms not in (1, 2):
            raise ConfigError(f"--arms is 1 or 2, got {self.arms}.")
        homes = [arm.home_rad for arm in load_rig(f"{self.model}_bimanual").arms]
        rows: list[list[str]] = []
        with contextlib.ExitStack() as running:
            for index, home_rad in enumerate(homes[: self.arms]):
                address = f"127.0.0.{_FIRST + index}"
                if self.what == "ur":
                    joints_rad = np.array(home_rad, np.float64)
                    running.enter_context(
                        UrEmulator(address, joints_rad=joints_rad, model=self.model)
                    )
                    rows.append([self.model, address, "29999, 30001 to 30004"])
                running.enter_context(RobotiqEmulator(address))
                rows.append(["robotiq_2f85", address, "63352"])
            print_table(("controller", "address", "ports"), rows, numbers=0)
            found = [{"kind": kind, "address": address} for kind, address, _ in rows]
            write_json(self.json, {"controllers": found})
            with contextlib.suppress(KeyboardInterrupt):  # the usual way to end it
                threading.Event().wait()
        return 0
