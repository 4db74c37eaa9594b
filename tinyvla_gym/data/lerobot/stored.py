"""An episode of a finished dataset, to be copied into another one as it is."""

import pyarrow as pa

from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.damage import reading
from tinyvla_gym.data.lerobot.part import Footage, Note
from tinyvla_gym.data.lerobot.reader import Dataset
from tinyvla_gym.data.statistics import Statistics


class StoredEpisode:
    """One episode of a dataset of ours, a ``Part``."""

    def __init__(self, dataset: Dataset, index: int) -> None:
        """Points at an episode, and reads nothing.

        Args:
            dataset: Its dataset.
            index: Which one.
        """
        self._dataset = dataset
        self._index = index
        self._row = dataset.files.rows[index]
        self._wanted = schema.staged_schema(dataset.interface, dataset.facts.coding)

    @property
    def note(self) -> Note:
        """What is known of it."""
        dataset, index = self._dataset, self._index
        return Note(
            length=int(dataset.lengths[index]),
            instruction=dataset.instructions[index],
            seed=dataset.seeds[index],
            task=dataset.tasks[index],
            source=dataset.sources[index],
            success=dataset.successes[index],
        )

    @property
    def size_bytes(self) -> int:
        """Its share of the data file."""
        return self._dataset.files.data_share_bytes(self._index)

    def frames(self) -> pa.Table:
        """Reads the columns of ``schema.staged_schema``."""
        table = self._dataset.frames_of(self._index, self._wanted.names)
        with reading(self._dataset.files.data_path(self._row)):
            return table.select(self._wanted.names).cast(self._wanted)

    def film(self, camera: str) -> Footage:
        """Where the pictures of a camera that is kept as film lie."""
        return self._dataset.files.film(self._index, schema.image_key(camera))

    def pixels(self, camera: str) -> None:
        """Nobody keeps the counts once the statistics are made."""

    def pictures(self, camera: str) -> Statistics:
        """The statistics of a camera's pictures."""
        return self._dataset.episode_statistics(schema.image_key(camera))[self._index]
