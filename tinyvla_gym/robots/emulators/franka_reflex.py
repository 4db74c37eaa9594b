"""A Franka FR3 that keeps the maker's limits and makes reflexes: ``franka-sim``, in its own home.

Its versions of NumPy and MuJoCo are not ours, so it runs in an environment of its own, which
``scripts/franka_sim.sh`` makes. It has no tool: where it stands, flange and tool point are one.
"""

import re
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from tinyvla_gym.errors import ConfigError, MissingExtraError
from tinyvla_gym.robots.emulators.franka import ROBOT_PORT
from tinyvla_gym.robots.emulators.loopback import check_loopback

_SERVER = Path(__file__).with_name("franka_reflex_server.py")
_START_S = 60.0


class FrankaReflexEmulator:
    """One arm with its hand. Use as a context manager."""

    def __init__(self, address: str, *, python: Path) -> None:
        """Prepares a process; nothing listens yet.

        Args:
            address: A loopback address.
            python: The interpreter of the environment that has franka-sim.

        Raises:
            ConfigError: If the address is not a loopback address, or there is no interpreter.
            MissingExtraError: If franky-sim, whose model of the arm is used, is not installed.
        """
        self.address = check_loopback(address)
        if not python.exists():
            raise ConfigError(f"There is no {python}; scripts/franka_sim.sh makes it.")
        self._python = python
        self._folder = tempfile.TemporaryDirectory(prefix="franka-")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "FrankaReflexEmulator":
        model = _write_model(Path(self._folder.name))
        command = [str(self._python), str(_SERVER), self.address, str(model)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline_s = time.monotonic() + _START_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self.__exit__()
                raise ConfigError(f"No emulator could be started on {self.address}: is it taken?")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def _listens(self) -> bool:
        """Looks whether its hand's port is taken, which happens last; connects to nothing."""
        with socket.socket() as probe:
            try:
                probe.bind((self.address, ROBOT_PORT + 1))
            except OSError:
                return True
        return False


def _write_model(folder: Path) -> Path:
    """The arm of franky-sim in a file of its own, with the meshes where they are."""
    found = find_spec("franky_sim")
    if found is None or found.origin is None:
        raise MissingExtraError("The model of the emulated Franka arm", "emulators")
    assets = Path(found.origin).parent / "assets"
    text = (assets / "fr3.xml").read_text(encoding="utf-8")
    meshes = f'meshdir="{assets / "meshes"}"'
    path = folder / "fr3.xml"
    path.write_text(re.sub(r'meshdir="[^"]*"', lambda _: meshes, text), encoding="utf-8")
    return path
