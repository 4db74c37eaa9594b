"""A Franka FR3 on a loopback address: ``franky-sim`` in a process of its own.

An unmodified libfranka client connects to it and drives it in real time. It keeps no limits and
makes no reflexes; ``franka_reflex.py`` does. Its physics cannot hold objects: for drivers only.
"""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Any

from tinyvla_gym.errors import ConfigError, MissingExtraError
from tinyvla_gym.robots.emulators.loopback import check_loopback

ROBOT_PORT, HAND_PORT = 1337, 1338
_CYCLE_S = 0.001
_LOST_S = 0.05  # a longer pause is lost, not made up for
_START_S = 60.0  # a new interpreter on a busy machine
_CYCLES_PER_LOOK = 10


class FrankaEmulator:
    """One arm with its hand. Use as a context manager."""

    def __init__(self, address: str, *, joints_rad: Sequence[float]) -> None:
        """Prepares a process; nothing listens yet.

        Args:
            address: A loopback address, such as 127.0.0.11; each arm needs its own.
            joints_rad: Where the arm stands, 7 angles.

        Raises:
            ConfigError: If the address is not a loopback address.
            MissingExtraError: If franky-sim is not installed.
        """
        self.address = check_loopback(address)
        if find_spec("franky_sim") is None:
            raise MissingExtraError("The Franka emulator", "emulators")
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, address, tuple(map(float, joints_rad))), daemon=True
        )

    def __enter__(self) -> "FrankaEmulator":
        self._process.start()
        if not self._pipe.poll(_START_S) or self._pipe.recv() != "listening":
            self.kill()
            raise ConfigError(f"No emulator could be started on {self.address}: is it taken?")
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # it may have been killed
            self._pipe.send("end")
        self._process.join(timeout=10.0)
        self.kill()
        self._pipe.close()

    def freeze(self, frozen: bool) -> None:
        """Stops its time, and with it everything it sends; or lets it run on."""
        self._pipe.send("freeze" if frozen else "run")

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self._process.kill()
        self._process.join()


def _serve(pipe: Connection, address: str, joints_rad: tuple[float, ...]) -> None:
    """Runs the emulator until the pipe says so, or breaks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    with contextlib.suppress(OSError):  # a controller keeps its time, where that may be asked
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    from franky_sim import SimulationServer
    from franky_sim.mujoco_simulator import MujocoSimulator

    with MujocoSimulator(enable_visualization=False) as simulator:
        simulator.add_robot(initial_q=joints_rad)
        try:
            server = SimulationServer(simulator, hostname_candidates=[address]).__enter__()
        except Exception as error:  # it tries addresses until none is left, and says so somehow
            pipe.send(str(error))
            return
        pipe.send("listening")
        try:
            _keep_time(server, pipe)
        finally:
            server.cleanup()


def _keep_time(server: Any, pipe: Connection) -> None:
    """Steps once per millisecond of the clock."""
    cycles, frozen = 0, False
    due_s = time.monotonic()
    while True:
        cycles += 1
        if cycles % _CYCLES_PER_LOOK == 0 and pipe.poll():
            try:
                word = pipe.recv()
            except EOFError:  # whoever started it is gone
                return
            if word == "end":
                return
            frozen = word == "freeze"
        if not frozen:
            server.run_once(realtime=False)
        due_s = max(due_s + _CYCLE_S, time.monotonic() - _LOST_S)
        time.sleep(max(0.0, due_s - time.monotonic()))
