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
from tinyvla_gym.robots.emulators.franka import HAND_PORT, ROBOT_PORT, FrankaEmulator
from tinyvla_gym.robots.emulators.robotiq import RobotiqEmulator
from tinyvla_gym.robots.emulators.ur import UrEmulator
from tinyvla_gym.robots.rig_file import load_rig

_FIRST = 11  # last number of the first arm's address


@dataclass(frozen=True, kw_only=True)
class Emulate:
    """Serve emulated controllers on 127.0.0.11 and 127.0.0.12 until interrupted."""

    what: Annotated[Literal["ur", "robotiq", "franka"], tyro.conf.Positional]
    """ur: Universal Robots controllers with grippers. robotiq: grippers alone. franka: one FR3."""
    arms: int = 2
    """How many, 1 or 2; of a Franka always one."""
    model: Literal["ur5e", "ur5"] = "ur5e"
    """Which Universal Robots arm: ur5e runs at 500 Hz, ur5 at 125 Hz."""
    json: Path | None = None
    """Also write the addresses to this file."""

    def run(self) -> int:
        """Serves until interrupted."""
        if self.arms not in (1, 2):
            raise ConfigError(f"--arms is 1 or 2, got {self.arms}.")
        with contextlib.ExitStack() as running:
            try:
                rows = (
                    self._start_franka(running) if self.what == "franka" else self._start(running)
                )
            except OSError as error:
                raise ConfigError(
                    f"The emulator cannot listen: {error.strerror}. End the one that runs already."
                ) from error
            print_table(("controller", "address", "ports"), rows, numbers=0)
            found = [{"kind": kind, "address": address} for kind, address, _ in rows]
            write_json(self.json, {"controllers": found})
            with contextlib.suppress(KeyboardInterrupt):  # the usual way to end it
                threading.Event().wait()
        return 0

    def _start(self, running: contextlib.ExitStack) -> list[list[str]]:
        """Starts Universal Robots controllers as the shipped rig knows them, or grippers alone."""
        rows: list[list[str]] = []
        for index, arm in enumerate(load_rig(f"{self.model}_bimanual").arms[: self.arms]):
            address = f"127.0.0.{_FIRST + index}"
            if self.what == "ur":
                joints_rad = np.array(arm.home_rad, np.float64)
                emulator = UrEmulator(address, joints_rad=joints_rad, model=self.model)
                emulator.machine.set_tool(arm.tcp_offset_m, arm.payload_kg)
                running.enter_context(emulator)
                rows.append([self.model, address, "29999, 30001 to 30004"])
            running.enter_context(RobotiqEmulator(address))
            rows.append(["robotiq_2f85", address, "63352"])
        return rows

    def _start_franka(self, running: contextlib.ExitStack) -> list[list[str]]:
        (arm,) = load_rig("franka_fr3").arms
        address = f"127.0.0.{_FIRST}"
        running.enter_context(FrankaEmulator(address, joints_rad=arm.home_rad))
        return [["fr3", address, f"{ROBOT_PORT}, {HAND_PORT}"]]
