"""The writer: takes whole episodes, loses none, and makes them a dataset."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from tinyvla_gym.data.atomic import writing
from tinyvla_gym.data.episode import Episode
from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.claim import claimed
from tinyvla_gym.data.lerobot.coding import Coding
from tinyvla_gym.data.lerobot.facts import Facts
from tinyvla_gym.data.lerobot.joining import join_shards, settle
from tinyvla_gym.data.lerobot.merge import Progress, merge
from tinyvla_gym.data.lerobot.part import Note
from tinyvla_gym.data.lerobot.reader import Dataset
from tinyvla_gym.data.lerobot.staging import (
    Shard,
    read_shard,
    shard_number,
    shard_path,
    stage,
    staged,
    sweep,
)
from tinyvla_gym.errors import DatasetError, OutputError
from tinyvla_gym.interface import Interface


class DatasetWriter:
    """Writes a LeRobot dataset; an episode that ``add`` took survives any crash.

    As a context manager it finalises when the block ends well. After a crash, or an exception,
    the episodes stay staged: open the folder again with ``resume=True`` and go on.

    Episodes of several tasks may share a dataset if they share its interface. One process at a
    time records into a folder; envs played side by side share a writer.
    """

    def __init__(
        self,
        folder: Path | str,
        interface: Interface,
        *,
        profile: str,
        profile_hash: str,
        robot_type: str = "metaworld",
        env_ids: Sequence[str] = (),
        coding: Coding | None = None,
        resume: bool = False,
        append: bool = False,
    ) -> None:
        """Opens a folder, and makes sure that it can be written to.

        Args:
            folder: Where the dataset goes; new or empty, unless resumed or appended to.
            interface: What the envs show and accept.
            profile: Name of the render profile; empty if there is none.
            profile_hash: Its hash; empty if there is none.
            robot_type: LeRobot's word for the body.
            env_ids: Gymnasium ids of the envs to be recorded.
            coding: How pictures are kept; as the dataset's own when None, or else the default.
            resume: Go on with a recording that was not finalised; a new or empty folder is
                begun as usual.
            append: Add to a finished dataset, which stays whole meanwhile; an appending that was
                interrupted goes on.

        Raises:
            DatasetError: If what is to be appended to cannot be read.
            OutputError: If the folder is in use, cannot be written to, was begun otherwise, or
                another process is recording into it.
            ConfigError: If the format cannot hold the interface.
        """
        self.folder = Path(folder)
        self._facts = Facts(
            interface=interface,
            profile=profile,
            profile_hash=profile_hash,
            robot_type=robot_type,
            env_ids=tuple(env_ids),
            coding=coding or Coding(),
        )
        schema.features(interface, self._facts.coding)
        self._before: tuple[tuple[str, int], ...] = ()
        self._shards: list[Shard] = []
        self._next = 0
        self._final = False
        self._append = append
        self._claims = ExitStack()
        if append:
            self._open_finished(coding)
        elif resume and (self.folder / schema.FACTS).exists():
            self._open_unfinished(coding)
        else:
            self._begin()

    def __len__(self) -> int:
        """Episodes so far, with those of a dataset that is appended to."""
        return len(self._before) + len(self._shards)

    @property
    def recorded(self) -> tuple[tuple[str, int], ...]:
        """Task and seed of every episode so far, in order."""
        new = tuple((shard.note.task, shard.note.seed) for shard in self._shards)
        return self._before + new

    def add(self, episode: Episode) -> None:
        """Takes an episode; once this returns, it is on the disk.

        Raises:
            DatasetError: If it does not fit the interface.
            OutputError: If it cannot be written, or the dataset is final already.
        """
        if self._final:
            raise OutputError(self.folder, "the dataset is final and takes no more episodes.")
        self._check_fit(episode)
        path = shard_path(self.folder, self._next)
        self._shards.append(stage(path, episode, self._facts.interface, self._facts.coding))
        self._next += 1

    def finalize(
        self,
        progress: Progress | None = None,
        *,
        order: Callable[[Note], tuple[int, ...]] | None = None,
    ) -> None:
        """Merges what was taken into a LeRobot dataset; a second call does nothing.

        Args:
            progress: Told (done, total) episodes.
            order: Sorts the new episodes by what is noted of them; as they came when None.

        Raises:
            OutputError: If there is no episode, or no room for the merged files.
            DatasetError: If a staged episode was damaged meanwhile.
        """
        if self._final:
            return
        if not self._shards:
            self._leave_nothing()
            if self._append:
                return
            raise OutputError(self.folder, "no episode was recorded, so nothing was kept.")
        if order is not None:
            self._shards.sort(key=lambda shard: order(shard.note))
        if self._append:
            join_shards(self.folder, self._facts, self._shards, progress)
        else:
            facts = replace(self._facts, merged=self._next)
            facts.save(self.folder / "meta")
            merge(self.folder, facts, self._shards, progress)
            with writing(self.folder):
                shutil.rmtree(self.folder / schema.STAGING)
        self._final = True
        self._claims.close()

    def __enter__(self) -> "DatasetWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._claims:
            if kind is None:
                self.finalize()

    def _begin(self) -> None:
        with writing(self.folder):
            if self.folder.exists() and any(self.folder.iterdir()):
                raise OutputError(
                    self.folder,
                    "the folder is not empty. Choose another one, or resume what it holds.",
                )
            self.folder.mkdir(parents=True, exist_ok=True)
            self._facts.save(self.folder / "meta")  # first, so that resuming knows the folder
            self._claim()

    def _open_unfinished(self, coding: Coding | None) -> None:
        if (self.folder / schema.INFO).exists():
            raise OutputError(
                self.folder,
                "it holds a finished dataset. Append to it, or record into another folder.",
            )
        self._claim()
        self._agree(Facts.load(self.folder), coding)
        self._facts.save(self.folder / "meta")
        self._take_shards(0)

    def _open_finished(self, coding: Coding | None) -> None:
        if (self.folder / schema.STAGING).exists():
            self._claim()  # somebody may be appending just now
        settle(self.folder)
        dataset = Dataset(self.folder)
        self._claim()
        self._agree(dataset.facts, coding)
        self._before = tuple(zip(dataset.tasks, dataset.seeds, strict=True))
        self._take_shards(dataset.facts.merged)

    def _claim(self) -> None:
        self._claims.enter_context(claimed(self.folder))

    def _agree(self, begun: Facts, coding: Coding | None) -> None:
        """Goes on with the facts of before, if they are those that were asked for."""
        asked = self._facts if coding else replace(self._facts, coding=begun.coding)
        differences = begun.differences(asked)
        if differences:
            listed = "\n".join(f"  - {difference}" for difference in differences)
            raise OutputError(self.folder, f"it was begun with other settings:\n{listed}")
        self._facts = begun.joined(asked.env_ids)

    def _take_shards(self, first: int) -> None:
        sweep(self.folder)
        self._shards = [read_shard(path) for path in staged(self.folder, first)]
        self._next = shard_number(self._shards[-1].path) + 1 if self._shards else first

    def _leave_nothing(self) -> None:
        """Takes back what was made for recording, so that the folder is as it was."""
        with writing(self.folder):
            shutil.rmtree(self.folder / schema.STAGING)
            if not self._append:
                shutil.rmtree(self.folder / schema.FACTS.parent)
        self._claims.close()

    def _check_fit(self, episode: Episode) -> None:
        interface = self._facts.interface
        wanted = {
            **{f"camera {one.name}": (one.height, one.width, 3) for one in interface.cameras},
            "state": (len(interface.state),),
            "action": (len(interface.action),),
        }
        came = {
            **{f"camera {name}": images.shape[1:] for name, images in episode.images.items()},
            "state": episode.state.shape[1:],
            "action": episode.action.shape[1:],
        }
        if came != wanted:
            raise DatasetError(
                self.folder,
                f"the episode of seed {episode.seed} does not fit its interface.\n"
                f"Wanted {wanted},\ngot {came}.",
            )
