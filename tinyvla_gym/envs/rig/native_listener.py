"""Listens while a rig is driven, and keeps what it tells at its own rate."""

from pathlib import Path
from typing import Any

from tinyvla_gym.envs.rig.env import RigEnv
from tinyvla_gym.events import Outcome, Step
from tinyvla_gym.interface import Observation
from tinyvla_gym.robots.native import NativeFile


class NativeListener:
    """Writes one file per episode: ``episode-000000.native``, ``episode-000001.native``, ..."""

    needs_images = False

    def __init__(self, folder: Path, env: RigEnv) -> None:
        """Listens to an env; files of earlier episodes in the folder stay."""
        self._folder, self._env = folder, env
        self._file: NativeFile | None = None

    def on_reset(self, observation: Observation, info: dict[str, Any]) -> None:
        """Begins a file."""
        number = len(list(self._folder.glob("episode-*.native")))
        path = self._folder / f"episode-{number:06d}.native"
        self._file = NativeFile(path, self._env.rig, self._env.body, seed=info["seed"])

    def on_step(self, step: Step) -> None:
        """Keeps what the rig told during the step."""
        if self._file is not None:
            self._file.keep()

    def on_end(self, outcome: Outcome | None) -> None:
        """Ends the file, also that of an episode that was broken off."""
        if self._file is not None:
            self._file.close()
            self._file = None
