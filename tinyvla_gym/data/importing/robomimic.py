"""HDF5 files as robomimic lays them out, as a source: every demonstration in one file."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyvla_gym.data.importing.hdf5 import leaves, opened
from tinyvla_gym.data.importing.source import Column, RawEpisode
from tinyvla_gym.data.lerobot.damage import damaged

if TYPE_CHECKING:
    import h5py

_NEEDS = "Reading robomimic's HDF5"


class RobomimicSource:
    """One robomimic file; a ``Source``.

    Columns are ``actions``, ``rewards``, ``dones`` and ``obs/<name>``; what came after a tick
    (``next_obs``) is what comes before the next one, and is not read.
    """

    facts = None

    def __init__(self, path: Path) -> None:
        """Looks into the first demonstration.

        Raises:
            DatasetError: If the file is damaged, or no such file.
            MissingExtraError: If h5py is not installed.
        """
        self._path = path
        with opened(path, _NEEDS) as file:
            data: Any = file["data"]
            self._names = sorted(data, key=lambda name: int(name.rpartition("_")[2]))
            if not self._names:
                raise damaged(path, "it has no demonstration")
            env = json.loads(data.attrs.get("env_args", "{}"))
            self.fps: float | None = env.get("env_kwargs", {}).get("control_freq")
            self._task: str = env.get("env_name", "")
            problem = json.loads(data.attrs.get("problem_info", "{}"))  # LIBERO has one
            self._sentence: str = problem.get("language_instruction", "")
            self.columns: dict[str, Column] = _columns(data[self._names[0]])

    def __len__(self) -> int:
        """Demonstrations."""
        return len(self._names)

    def read(self, index: int, columns: Collection[str]) -> RawEpisode:
        """Reads some columns of a demonstration.

        Raises:
            DatasetError: If the file is damaged.
        """
        with opened(self._path, _NEEDS) as file:
            demo: Any = file[f"data/{self._names[index]}"]
            return RawEpisode(
                columns={name: demo[name][:] for name in columns},
                instruction=self._sentence,
                task=self._task,
            )


def _columns(demo: "h5py.Group") -> dict[str, Column]:
    stored = {
        name: values
        for name, values in leaves(demo).items()
        if not name.startswith("next_obs/") and values.ndim and values.dtype.kind in "biuf"
    }
    ticks = len(stored["actions"])
    return {
        name: Column(
            shape=values.shape[1:] or (1,),
            is_picture=values.ndim == 4 and values.dtype == np.uint8 and values.shape[-1] == 3,
        )
        for name, values in stored.items()
        if len(values) == ticks
    }
