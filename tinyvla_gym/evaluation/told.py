"""Sentences that others told their policies, read from the user's own copy: we ship none."""

import ast
import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tinyvla_gym.data.lerobot.tasks import has_tasks, read_tasks
from tinyvla_gym.envs.registration import METAWORLD_TASKS
from tinyvla_gym.errors import ConfigError, InstructionError
from tinyvla_gym.evaluation.lerobot_tasks import tasks_named_by
from tinyvla_gym.interface import check_instruction

_KEY = "TASK_DESCRIPTIONS"  # what LeRobot calls its table
_PLACES = ("envs/metaworld_config.json", "envs/metaworld.py")  # where it keeps it


def read_sentences(where: Path | None) -> dict[str, str]:
    """Reads which sentence each task is told.

    Args:
        where: A JSON file, task to sentence; a file of JSON lines with ``slug`` and ``task``; a
            folder with an installation of LeRobot; or one with a LeRobot dataset, of which its
            ``meta`` is enough. None looks for LeRobot in this Python.

    Returns:
        MetaWorld task, without its suffix, to sentence.

    Raises:
        ConfigError: If nothing is found, or what is found names no task.
        DatasetError: If a dataset's table of sentences is damaged.
    """
    path = _installed() if where is None else where
    dataset = path.parent.parent if path.parent.name == "meta" else path
    if has_tasks(dataset):
        return _of_dataset(dataset)
    for inner in _PLACES:
        for folder in (path, path / "lerobot", path / "src" / "lerobot"):
            if (folder / inner).is_file():
                path = folder / inner
    try:
        told = _table(path)
        sentences = {_task(name): _sentence(text) for name, text in told.items()}
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, InstructionError) as problem:
        raise ConfigError(f"{path} holds no sentences: {problem}") from problem
    known = {task: text for task, text in sentences.items() if task in METAWORLD_TASKS}
    if not known:
        raise ConfigError(f"{path} names no MetaWorld task; a line is task: sentence.")
    return known


def _of_dataset(folder: Path) -> dict[str, str]:
    """Reads a LeRobot dataset's sentences; which tasks they name, it does not say itself."""
    told = {text: tasks_named_by(text) for text in read_tasks(folder).values()}
    strange = [text for text, tasks in told.items() if not tasks]
    if strange or not told:
        raise ConfigError(
            f"{folder} holds sentences that LeRobot does not tell in MetaWorld: "
            f"{', '.join(map(repr, strange[:2])) or 'not one that it does'}.\n"
            "Say which task is told what in a JSON file {task: sentence}."
        )
    return {task: _sentence(text) for text, tasks in told.items() for task in tasks}


def _installed() -> Path:
    spec = find_spec("lerobot")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            "This protocol tells other people's sentences, which we do not ship. Name your copy: "
            "--sentences FOLDER_OF_LEROBOT, a LeRobot dataset of MetaWorld, or a JSON file "
            "{task: sentence}."
        )
    return Path(spec.submodule_search_locations[0])


def _table(path: Path) -> Mapping[str, Any]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return _literal(text)
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        return {row["slug"]: row["task"] for row in rows}
    table = dict(json.loads(text))
    return table.get(_KEY, table)


def _literal(source: str) -> Mapping[str, Any]:
    """Reads the table out of a module without running it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == _KEY:
                    return ast.literal_eval(value)
    raise ValueError(f"it has no {_KEY}")


def _sentence(text: object) -> str:
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is none")
    return check_instruction(text)


def _task(name: str) -> str:
    return name.removeprefix("metaworld-").removesuffix("-v3").removesuffix("-v2")
