"""tinyvla-gym data import, export: other formats in and out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from tinyvla_gym.cli.console import console, write_json
from tinyvla_gym.cli.progress import progress

Rotations = Literal["true", "released"]


@dataclass(frozen=True, kw_only=True)
class Import:
    """Make a dataset of somebody else's data.

    Without --mapping, one is guessed from the names in the data; --write-mapping keeps it in a
    file, to be corrected and used. docs/data.md explains the file.
    """

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """Folder of a LeRobot or Minari dataset, folder of HDF5 episodes, or a robomimic file."""
    format: Literal["lerobot", "hdf5", "minari", "robomimic"] = "lerobot"
    """lerobot (v3.0, v2.1, v2.0), hdf5 (TinyVLA's and ACT's), minari, or robomimic."""
    out: Path | None = None
    """Folder of the new dataset; without it, nothing is imported."""
    mapping: Path | None = None
    """JSON file that says which column is what."""
    write_mapping: Path | None = None
    """Write the mapping that is used, or would be, to this file."""
    control_hz: float | None = None
    """Ticks per second, where neither the data nor a mapping says so."""
    instruction: str = ""
    """The sentence of every episode, where the data has none."""
    rotations: Rotations = "released"
    """What hdf5's six numbers of a rotation are: the rotation, or what the released code makes."""
    json: Path | None = None
    """Also write counts and losses to this file."""

    def run(self) -> int:
        """Imports."""
        from dataclasses import replace

        from tinyvla_gym.data.importing.guess import guess_mapping
        from tinyvla_gym.data.importing.mapping import ColumnMapping
        from tinyvla_gym.data.importing.open import import_dataset, open_source
        from tinyvla_gym.errors import ConfigError

        if self.out is None and self.write_mapping is None:
            raise ConfigError(
                "Say where the dataset goes: --out; or --write-mapping to begin with."
            )
        source = open_source(self.source, self.format, rotations=self.rotations)
        if self.mapping:
            mapping = ColumnMapping.load(self.mapping)
        else:
            mapping = guess_mapping(source, control_hz=self.control_hz)
        if self.instruction:
            mapping = replace(mapping, instruction=self.instruction)
        if self.write_mapping:
            mapping.save(self.write_mapping)
            console.print(f"mapping in {self.write_mapping}", soft_wrap=True)
        lost: list[str] = []
        if self.out:
            with progress() as show:
                lost = import_dataset(
                    source,
                    mapping,
                    self.out,
                    progress=lambda done, total: show("importing", done, total),
                )
            console.print(f"{len(source)} episodes in {self.out}", soft_wrap=True)
            _tell(lost)
        write_json(self.json, {"episodes": len(source), "lost": lost})
        return 0


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write a dataset in another format; what that has no place for is said.

    A dataset is in LeRobot's format already.
    """

    dataset: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
    """Folder of a dataset."""
    format: Literal["hdf5", "minari"]
    """hdf5 (as TinyVLA's released code loads it) or minari."""
    out: Path
    """hdf5: folder for the episodes. minari: its folder of datasets, MINARI_DATASETS_PATH."""
    name: str | None = None
    """minari: the new dataset's id; the folder's name and -v0 if not given."""
    rotations: Rotations = "released"
    """What hdf5's six numbers of a rotation are: the rotation, or what the released code makes."""
    json: Path | None = None
    """Also write counts and losses to this file."""

    def run(self) -> int:
        """Exports."""
        from tinyvla_gym.data.exporting.minari import export_minari
        from tinyvla_gym.data.exporting.tinyvla_hdf5 import export_hdf5
        from tinyvla_gym.data.lerobot import Dataset

        dataset = Dataset(self.dataset)
        place = self.out
        with progress() as show:

            def note(done: int, total: int) -> None:
                show("exporting", done, total)

            if self.format == "hdf5":
                lost = export_hdf5(dataset, self.out, rotations=self.rotations, progress=note)
            else:
                name = self.name or f"{self.dataset.resolve().name}-v0"
                place = self.out / name
                lost = export_minari(dataset, self.out, name=name, progress=note)
        console.print(f"{len(dataset)} episodes in {place}", soft_wrap=True)
        _tell(lost)
        write_json(self.json, {"episodes": len(dataset), "lost": lost})
        return 0


def _tell(lost: list[str]) -> None:
    for one in lost:
        console.print(f"lost: {one}", soft_wrap=True)
