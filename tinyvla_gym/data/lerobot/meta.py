"""What describes a dataset: the tables of its episodes and sentences, statistics, ``info.json``."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tinyvla_gym.data.atomic import save_json, written_whole
from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.facts import Facts
from tinyvla_gym.data.lerobot.part import Note
from tinyvla_gym.data.statistics import Statistics


def write_meta(
    meta: Path,
    facts: Facts,
    episodes: pa.Table,
    sentences: Sequence[str],
    statistics: Mapping[str, Statistics],
) -> None:
    """Writes a folder ``meta``; ``info.json`` comes last.

    Args:
        meta: The folder.
        facts: What holds for every episode.
        episodes: One row per episode.
        sentences: In the order of their task index.
        statistics: Of each feature over all frames.

    Raises:
        OutputError: If it cannot be written.
    """
    place = schema.EPISODES_PATH.format(chunk_index=0, file_index=0)
    with written_whole(meta / Path(place).relative_to("meta")) as partial:
        pq.write_table(episodes, partial, write_page_checksum=True)
    with written_whole(meta / schema.TASKS.name) as partial:
        pq.write_table(_task_table(sentences), partial)
    described = {name: one.to_dict() for name, one in statistics.items()}
    save_json(meta / schema.STATS.name, described)
    save_json(meta / schema.INFO.name, _info(facts, episodes, len(sentences)))


def episode_row(index: int, note: Note, start: int) -> dict[str, Any]:
    """The first columns of an episode's row; where its frames lie is added later."""
    return {
        "episode_index": index,
        "tasks": [note.instruction],
        "length": note.length,
        "dataset_from_index": start,
        "dataset_to_index": start + note.length,
        "meta/episodes/chunk_index": 0,
        "meta/episodes/file_index": 0,
        "seed": note.seed,
        "task_name": note.task,
        "source": note.source,
        "success": note.success,
    }


def statistics_columns(feature: str, statistics: Statistics) -> dict[str, list]:
    """The columns of an episode's row that describe one feature."""
    return {f"stats/{feature}/{name}": value for name, value in statistics.to_dict().items()}


def _info(facts: Facts, episodes: pa.Table, sentences: int) -> dict[str, Any]:
    films = any(not facts.coding.is_lossless(camera) for camera in facts.interface.cameras)
    return {
        "codebase_version": schema.CODEBASE_VERSION,
        "robot_type": facts.robot_type,
        "total_episodes": len(episodes),
        "total_frames": episodes["dataset_to_index"][-1].as_py(),
        "total_tasks": sentences,
        "chunks_size": schema.CHUNK_FILES,
        "data_files_size_in_mb": schema.DATA_FILE_MB,
        "video_files_size_in_mb": schema.VIDEO_FILE_MB,
        "fps": schema.frames_per_second(facts.interface),
        "splits": {"train": f"0:{len(episodes)}"},
        "data_path": schema.DATA_PATH,
        "video_path": schema.VIDEO_PATH if films else None,
        "features": schema.features(facts.interface, facts.coding),
    }


def _task_table(sentences: Sequence[str]) -> pa.Table:
    """The sentences, with the note by which pandas takes them for the index."""
    columns = {
        "task_index": pa.array(range(len(sentences)), pa.int64()),
        "task": pa.array(sentences, pa.string()),
    }
    types = {"task_index": ("int64", "int64"), "task": ("unicode", "object")}
    note = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [
            {
                "name": name,
                "field_name": name,
                "pandas_type": pandas_type,
                "numpy_type": numpy_type,
                "metadata": None,
            }
            for name, (pandas_type, numpy_type) in types.items()
        ],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.2.0",
    }
    return pa.table(columns).replace_schema_metadata({"pandas": json.dumps(note)})
