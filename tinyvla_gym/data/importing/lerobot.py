"""LeRobot datasets of others, v3.0, v2.1 or v2.0, as a source."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from tinyvla_gym.data.importing.source import Column, RawEpisode
from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.columns import numbers
from tinyvla_gym.data.lerobot.damage import read_json
from tinyvla_gym.data.lerobot.version2 import VERSIONS, Version2
from tinyvla_gym.data.lerobot.version3 import Version3

_PICTURES = ("image", "video")


class LeRobotSource:
    """A LeRobot dataset, whoever wrote it; a ``Source``."""

    facts = None

    def __init__(self, folder: Path) -> None:
        """Reads what the dataset says of itself.

        Raises:
            DatasetError: If a file that is needed is missing or damaged.
        """
        version = read_json(folder / schema.INFO).get("codebase_version")
        self._files: Version2 | Version3 = (
            Version2(folder) if version in VERSIONS else Version3(folder)
        )
        self.fps: float = self._files.fps
        features = self._files.features
        self.columns: dict[str, Column] = {
            name: _column(one) for name, one in features.items() if _is_readable(one)
        }

    def __len__(self) -> int:
        """Episodes."""
        return len(self._files)

    def read(self, index: int, columns: Collection[str]) -> RawEpisode:
        """Reads some columns of an episode.

        Raises:
            DatasetError: If a file is missing or damaged.
        """
        stored = [name for name in columns if not self._files.is_film(name)]
        table = self._files.table(index, stored)
        return RawEpisode(
            columns={
                name: self._files.pictures(index, name, table)
                if self.columns[name].is_picture
                else numbers(table[name])
                for name in columns
            },
            instruction=self._files.sentence(index),
        )


def _is_readable(feature: dict[str, Any]) -> bool:
    """Numbers and colour pictures are; strings and depth are not."""
    dtype = feature["dtype"]
    if dtype in _PICTURES:
        info = feature.get("info") or feature.get("video_info") or {}
        return not info.get("video.is_depth_map") and 3 in feature["shape"]
    try:
        return np.dtype(dtype).kind in "biuf"
    except TypeError:
        return False


def _column(feature: dict[str, Any]) -> Column:
    shape = tuple(int(size) for size in feature["shape"])
    if feature["dtype"] in _PICTURES:
        first = (_names(feature.get("names")) or ("",))[0]
        is_channels_first = first.startswith("channel") or (shape[0] == 3 and shape[-1] != 3)
        shape = (*shape[1:], 3) if is_channels_first else shape
        return Column(shape=shape, is_picture=True)
    return Column(shape=shape, names=_names(feature.get("names")))


def _names(names: Any) -> tuple[str, ...] | None:
    """LeRobot has a list of names, or a dictionary with one list, or nothing."""
    if isinstance(names, dict):
        inside = list(names.values())
        names = inside[0] if inside and isinstance(inside[0], list) else None
    return tuple(str(name) for name in names) if names else None
