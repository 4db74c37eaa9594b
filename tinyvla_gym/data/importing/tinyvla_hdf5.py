"""HDF5 episodes as ACT wrote them first and TinyVLA after it, as a source.

One file per episode: ``action``, ``observations/qpos``, ``observations/images/<camera>``, and with
TinyVLA ``language_raw``. Pictures may be JPEG (attribute ``compress``).
"""

from collections.abc import Collection, Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tinyvla_gym.data.importing.hdf5 import leaves, opened
from tinyvla_gym.data.importing.source import Column, RawEpisode
from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.damage import damaged, read_json
from tinyvla_gym.data.lerobot.facts import Facts
from tinyvla_gym.data.rotation import Convention, decode_action, decode_state
from tinyvla_gym.errors import DatasetError

if TYPE_CHECKING:
    import h5py

POSE = "observations/pose"
"""The state as a pose, decoded from Euler angles; see ``data.rotation``."""

NOTES = "episodes.json"
_NEEDS = "Reading TinyVLA's HDF5"
_ACTION, _STATE, _IMAGES = "action", "observations/qpos", "observations/images/"


class TinyVLASource:
    """A folder of HDF5 episodes, or one of them; a ``Source``."""

    fps = None

    def __init__(self, place: Path, *, rotations: Convention = "released") -> None:
        """Looks into the first episode.

        Args:
            place: A file, or a folder that is searched with its subfolders.
            rotations: How the six numbers of rotations are meant; see ``data.rotation``. Data
                that this package exported says so itself.

        Raises:
            DatasetError: If there is no episode, or the first is damaged.
            MissingExtraError: If h5py is not installed.
        """
        self._paths = [place] if place.is_file() else sorted(place.rglob("*.hdf5"), key=_number)
        if not self._paths:
            raise DatasetError(place, "there is no .hdf5 file in it.")
        self.facts = Facts.read(place / schema.FACTS.name) if _is_ours(place) else None
        self._notes: dict[str, dict[str, Any]] = {}
        self._rotations: Convention = rotations
        if self.facts:
            notes = read_json(place / NOTES)
            self._rotations, self._notes = notes["rotations"], notes["episodes"]
        with opened(self._paths[0], _NEEDS) as file:
            self.columns: dict[str, Column] = dict(_columns(file))
        if self.facts and self.facts.interface.action_mode != "ee":
            self.columns.pop(POSE, None)  # seven numbers by chance
        self._is_pose = POSE in self.columns

    def __len__(self) -> int:
        """Episodes."""
        return len(self._paths)

    def read(self, index: int, columns: Collection[str]) -> RawEpisode:
        """Reads some columns of an episode.

        Raises:
            DatasetError: If the file is damaged.
        """
        path = self._paths[index]
        note = self._notes.get(path.name, {})
        with opened(path, _NEEDS) as file:
            return RawEpisode(
                columns={name: self._column(file, name) for name in columns},
                instruction=note.get("instruction") or _sentence(file),
                seed=note.get("seed"),
                task=note.get("task", ""),
                source=note.get("source"),
            )

    def _column(self, file: "h5py.File", name: str) -> NDArray:
        stored: Any = file[_STATE if name == POSE else name]
        if name == POSE:
            return decode_state(stored[:], self._rotations)
        if name == _ACTION and self._is_pose:
            return decode_action(stored[:], self._rotations)
        if self.columns[name].is_picture and stored.ndim == 2:
            return np.stack([_unpacked(one) for one in stored])
        return stored[:]


def _columns(file: "h5py.File") -> Mapping[str, Column]:
    found: dict[str, Column] = {}
    stored = leaves(file)
    for name in (_ACTION, _STATE):
        if name not in stored:
            raise damaged(Path(file.filename), f"it has no {name}")
    for name, values in stored.items():
        if name.startswith(_IMAGES):
            shape = values.shape[1:] if values.ndim == 4 else _unpacked(values[0]).shape
            found[name] = Column(shape=shape, is_picture=True)
        elif values.ndim in (1, 2) and len(values) == len(stored[_ACTION]):
            found[name] = Column(shape=values.shape[1:] or (1,))
    arms, rest = divmod(found[_ACTION].width, 10)
    if arms and not rest and found[_STATE].width == 7 * arms:
        found[POSE] = Column(shape=(10 * arms,))
    return found


def _unpacked(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One JPEG picture, padded with zeros, shape (H, W, 3).

    OpenCV took the colours for blue, green, red when it packed them; so they come back reversed.
    """
    with Image.open(BytesIO(packed.tobytes())) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1])


def _sentence(file: "h5py.File") -> str:
    if "language_raw" not in file:
        return ""
    stored: Any = file["language_raw"]
    words = stored[0] if stored.shape else stored[()]
    return words.decode() if isinstance(words, bytes) else str(words)


def _is_ours(place: Path) -> bool:
    return (place / schema.FACTS.name).exists() and (place / NOTES).exists()


def _number(path: Path) -> tuple[str, int, str]:
    """Sorts episode_2 before episode_10."""
    digits = "".join(one for one in path.stem if one.isdigit())
    return str(path.parent), int(digits or 0), path.name
