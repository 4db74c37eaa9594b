"""tinyvla-gym data merge, split, delete, reencode: new datasets out of old ones."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from tinyvla_gym.cli.console import console, write_json
from tinyvla_gym.cli.progress import progress
from tinyvla_gym.errors import ConfigError

Folder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]


@dataclass(frozen=True, kw_only=True)
class Merge:
    """Put the episodes of several datasets behind one another; nothing is coded anew."""

    datasets: Annotated[
        tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="DATASET [DATASET ...]")
    ]
    """Folders of datasets with the same interface, render profile and coding."""
    out: Path
    """Folder of the new dataset."""
    json: Path | None = None
    """Also write the counts to this file."""

    def run(self) -> int:
        """Merges."""
        from tinyvla_gym.data.lerobot.edit import merge_datasets

        with progress() as show:
            merged = merge_datasets(
                self.datasets, self.out, progress=lambda done, total: show("copying", done, total)
            )
        console.print(f"{len(merged)} episodes in {self.out}", soft_wrap=True)
        write_json(self.json, {"episodes": len(merged)})
        return 0


@dataclass(frozen=True, kw_only=True)
class Split:
    """Deal the episodes out to several datasets, each task in the same proportions."""

    dataset: Folder
    """Folder of a dataset."""
    out: Path
    """Folder for the new datasets."""
    parts: tuple[str, ...] = ("train=0.9", "val=0.1")
    """Name and share of each new dataset; shares add up to 1."""
    seed: int = 0
    """Decides which episode goes where."""
    json: Path | None = None
    """Also write the counts to this file."""

    def run(self) -> int:
        """Splits."""
        from tinyvla_gym.data.lerobot.edit import split_dataset

        shares = dict(_share(part) for part in self.parts)
        with progress() as show:
            made = split_dataset(
                self.dataset,
                shares,
                self.out,
                seed=self.seed,
                progress=lambda done, total: show("copying", done, total),
            )
        counts = {name: len(dataset) for name, dataset in made.items()}
        for name, episodes in counts.items():
            console.print(f"{episodes} episodes in {self.out / name}", soft_wrap=True)
        write_json(self.json, {"episodes": counts})
        return 0


@dataclass(frozen=True, kw_only=True)
class Delete:
    """Copy a dataset without some of its episodes; the original stays."""

    dataset: Folder
    """Folder of a dataset."""
    out: Path
    """Folder of the new dataset."""
    episodes: tuple[str, ...] = ()
    """Numbers of episodes, and ranges such as 5-9, counted from 0."""
    failures: bool = False
    """Also those that did not solve their task."""
    json: Path | None = None
    """Also write the counts to this file."""

    def run(self) -> int:
        """Copies."""
        from tinyvla_gym.data.lerobot import Dataset
        from tinyvla_gym.data.lerobot.edit import delete_episodes

        unwanted = set(episode_numbers(self.episodes))
        if self.failures:
            solved = Dataset(self.dataset).successes
            unwanted |= {index for index, success in enumerate(solved) if not success}
        if not unwanted:
            raise ConfigError("Name episodes to leave out with --episodes, or use --failures.")
        with progress() as show:
            kept = delete_episodes(
                self.dataset,
                sorted(unwanted),
                self.out,
                progress=lambda done, total: show("copying", done, total),
            )
        told = f"{len(unwanted)} episodes left out, {len(kept)} in {self.out}"
        console.print(told, soft_wrap=True)
        write_json(self.json, {"deleted": sorted(unwanted), "episodes": len(kept)})
        return 0


@dataclass(frozen=True, kw_only=True)
class Reencode:
    """Copy a dataset with its pictures coded otherwise; what film has lost does not come back."""

    dataset: Folder
    """Folder of a dataset."""
    out: Path
    """Folder of the new dataset."""
    codec: str = "h264"
    """Codec of films: h264, which every player shows, or av1, which is smaller."""
    crf: int = 18
    """Quality of films, 0 to 63; smaller is better and larger on the disk."""
    key_every: int = 2
    """Frames from one key frame to the next; few make random access fast."""
    lossless_px: int = 160
    """Cameras up to this size [px] are kept as PNG, larger ones as film."""
    json: Path | None = None
    """Also write the sizes to this file."""

    def run(self) -> int:
        """Copies."""
        from tinyvla_gym.data.inspection import summary
        from tinyvla_gym.data.lerobot import Coding, Dataset
        from tinyvla_gym.data.lerobot.edit import reencode

        facts = {
            "codec": self.codec,
            "crf": self.crf,
            "key_every": self.key_every,
            "lossless_px": self.lossless_px,
        }
        coding = Coding.from_dict(facts)
        with progress() as show:
            made = reencode(
                self.dataset,
                coding,
                self.out,
                progress=lambda done, total: show("coding", done, total),
            )
        before, after = (summary(one)["size_bytes"] for one in (Dataset(self.dataset), made))
        console.print(
            f"{len(made)} episodes in {self.out}: {before / 1e6:.1f} MB before, "
            f"{after / 1e6:.1f} MB after",
            soft_wrap=True,
        )
        write_json(self.json, {"coding": facts, "before_bytes": before, "after_bytes": after})
        return 0


def episode_numbers(told: tuple[str, ...]) -> list[int]:
    """Reads episode numbers and ranges.

    Raises:
        ConfigError: If one is neither.
    """
    numbers: list[int] = []
    for one in told:
        first, _, last = one.partition("-")
        if not first.isdigit() or (last and not last.isdigit()) or one.endswith("-"):
            raise ConfigError(f"Episodes are numbers or ranges such as 5-9, not {one!r}.")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def _share(told: str) -> tuple[str, float]:
    name, _, share = told.partition("=")
    try:
        return name, float(share)
    except ValueError as error:
        raise ConfigError(
            f"A part is a name and a share such as train=0.9, not {told!r}."
        ) from error
