"""From a place on the disk to a source, and from a source to a dataset."""

from collections.abc import Callable
from pathlib import Path

from tinyvla_gym.data.importing.guess import remarks
from tinyvla_gym.data.importing.lerobot import LeRobotSource
from tinyvla_gym.data.importing.mapping import ColumnMapping
from tinyvla_gym.data.importing.minari import MinariSource
from tinyvla_gym.data.importing.robomimic import RobomimicSource
from tinyvla_gym.data.importing.source import Source
from tinyvla_gym.data.importing.tinyvla_hdf5 import TinyVLASource
from tinyvla_gym.data.lerobot import Coding, DatasetWriter
from tinyvla_gym.data.lerobot.merge import Progress
from tinyvla_gym.data.rotation import Convention
from tinyvla_gym.errors import UnknownNameError

FORMATS = ("lerobot", "hdf5", "minari", "robomimic")


def open_source(place: Path, kind: str, *, rotations: Convention = "released") -> Source:
    """Opens foreign data.

    Args:
        place: A folder or file.
        kind: lerobot (v3.0, v2.1, v2.0), hdf5 (TinyVLA's and ACT's), minari, or robomimic.
        rotations: How hdf5 means the six numbers of rotations; see ``data.rotation``.

    Raises:
        UnknownNameError: If there is no such format.
        DatasetError: If it cannot be read.
        MissingExtraError: If the format's library is not installed.
    """
    openers: dict[str, Callable[[Path], Source]] = {
        "lerobot": LeRobotSource,
        "hdf5": lambda path: TinyVLASource(path, rotations=rotations),
        "minari": MinariSource,
        "robomimic": RobomimicSource,
    }
    if kind not in openers:
        raise UnknownNameError("format", kind, FORMATS)
    return openers[kind](place)


def import_dataset(
    source: Source,
    mapping: ColumnMapping,
    out: Path | str,
    *,
    coding: Coding | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """Writes a dataset of ours from foreign data.

    Args:
        source: The foreign data.
        mapping: What its columns mean.
        out: The new dataset; new or empty.
        coding: How its pictures are kept.
        progress: Told (done, total) episodes.

    Returns:
        What of the source does not reach the dataset, as sentences.

    Raises:
        ConfigError: If mapping and data do not fit.
        DatasetError: If an episode is damaged.
        OutputError: If ``out`` is in use or cannot be written to.
    """
    mapping.check(source)
    facts = source.facts
    with DatasetWriter(
        out,
        mapping.interface,
        profile=facts.profile if facts else "",
        profile_hash=facts.profile_hash if facts else "",
        robot_type=facts.robot_type if facts else "unknown",
        env_ids=facts.env_ids if facts else (),
        coding=coding or (facts.coding if facts else None),
    ) as writer:
        for index in range(len(source)):
            writer.add(mapping.episode(source.read(index, mapping.columns), index))
            if progress:
                progress(index + 1, len(source))
    return remarks(source, mapping)
