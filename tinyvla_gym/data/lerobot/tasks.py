"""The table of sentences of a LeRobot dataset, whoever wrote it."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.damage import reading

OLD_TASKS = Path("meta/tasks.jsonl")
"""Where v2.0 and v2.1 keep it."""


def has_tasks(folder: Path) -> bool:
    """Whether a folder has such a table."""
    return (folder / schema.TASKS).is_file() or (folder / OLD_TASKS).is_file()


def read_tasks(folder: Path) -> dict[int, str]:
    """Reads the table; nothing else of the dataset needs to be there.

    In v3.0 the sentences are pandas' index, so their column may have any name.

    Args:
        folder: The dataset, v3.0, v2.1 or v2.0.

    Returns:
        Task index to sentence; empty if there is no table.

    Raises:
        DatasetError: If the table is damaged.
    """
    new, old = folder / schema.TASKS, folder / OLD_TASKS
    if new.exists():
        with reading(new):
            table = pq.read_table(new)
            column = next((name for name in table.column_names if name != "task_index"), "task")
            indices, words = table["task_index"].to_pylist(), table[column].to_pylist()
            return dict(zip(indices, words, strict=True))
    if old.exists():
        with reading(old):
            lines = old.read_text(encoding="utf-8").splitlines()
            rows = [json.loads(line) for line in lines if line.strip()]
            return {row["task_index"]: row["task"] for row in rows}
    return {}
