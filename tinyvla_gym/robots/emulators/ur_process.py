"""A ``UrEmulator`` in a process of its own.

``ur_rtde`` keeps Python's global lock while it connects, so an emulator that shall answer it
cannot live in the same process.
"""

import multiprocessing
from multiprocessing.connection import Connection
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.robots.emulators.ur import UrEmulator

_START_S = 60.0  # a new interpreter on a busy machine


class UrEmulatorProcess:
    """The same emulator, elsewhere. Use as a context manager; parts are named by dotted paths.

    ``call("machine.protective_stop")``, ``put("faults.frozen", True)`` and
    ``look("machine.commands_seen")`` reach into it.
    """

    def __init__(
        self, address: str, *, joints_rad: NDArray[np.float64], model: str = "ur5e"
    ) -> None:
        """Prepares a process; see ``UrEmulator``."""
        UrEmulator(address, joints_rad=joints_rad, model=model)  # refuses what it would refuse
        self.address = address
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, address, joints_rad, model), daemon=True
        )

    def __enter__(self) -> "UrEmulatorProcess":
        self._process.start()
        if not self._pipe.poll(_START_S) or self._pipe.recv() != "listening":
            self._process.kill()
            raise ConfigError(f"No emulator could be started on {self.address}: is it taken?")
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.send(None)
        self._process.join(timeout=10.0)
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def call(self, path: str, *arguments: Any) -> Any:
        """Calls a method and returns its answer."""
        return self._ask("call", path, arguments)

    def look(self, path: str) -> Any:
        """Reads an attribute."""
        return self._ask("look", path, ())

    def put(self, path: str, value: Any) -> None:
        """Writes an attribute."""
        self._ask("put", path, (value,))

    def _ask(self, verb: str, path: str, arguments: tuple[Any, ...]) -> Any:
        self._pipe.send((verb, path, arguments))
        return self._pipe.recv()


def _serve(pipe: Connection, address: str, joints_rad: NDArray[np.float64], model: str) -> None:
    """Runs the emulator and does as the pipe says, until it says None or breaks."""
    try:
        emulator = UrEmulator(address, joints_rad=joints_rad, model=model).__enter__()
    except OSError as error:
        pipe.send(str(error))
        return
    pipe.send("listening")
    try:
        while (request := pipe.recv()) is not None:
            verb, path, arguments = request
            if verb == "put":
                owner, _, name = path.rpartition(".")
                setattr(attrgetter(owner)(emulator), name, *arguments)
                pipe.send(None)
            else:
                part = attrgetter(path)(emulator)
                pipe.send(part(*arguments) if verb == "call" else part)
    except EOFError:
        pass  # whoever asked is gone
    finally:
        emulator.__exit__()
