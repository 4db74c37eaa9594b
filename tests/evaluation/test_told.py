"""Tests for evaluation/told.py."""

import json
from pathlib import Path

import pytest

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.evaluation import told
from tinyvla_gym.evaluation.told import read_sentences

TABLE = {"push-v3": "shove it", "reach-v3": "go there", "unknown-v3": "do not"}
WANTED = {"push": "shove it", "reach": "go there"}
MODULE = f'import os\ndata = {{"TASK_DESCRIPTIONS": {TABLE!r}, "OTHER": {{"push-v3": 1}}}}\n'


def lerobot(folder: Path, name: str, text: str) -> Path:
    path = folder / "lerobot" / "envs" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return folder / "lerobot"


def test_an_installation_with_its_table_in_json(tmp_path) -> None:
    text = json.dumps({"TASK_DESCRIPTIONS": TABLE, "TASK_NAME_TO_ID": {"push-v3": 0}})

    assert read_sentences(lerobot(tmp_path, "metaworld_config.json", text)) == WANTED
    assert read_sentences(tmp_path) == WANTED  # the folder above it


def test_an_installation_with_its_table_in_python_is_read_and_not_run(tmp_path) -> None:
    text = MODULE + "raise SystemExit('it was run')\n"

    assert read_sentences(lerobot(tmp_path, "metaworld.py", text)) == WANTED


def test_a_plain_table(tmp_path) -> None:
    (tmp_path / "mine.json").write_text(json.dumps({"push": "shove it", "reach": "go there"}))

    assert read_sentences(tmp_path / "mine.json") == WANTED


def test_json_lines(tmp_path) -> None:
    lines = [json.dumps({"idx": 1, "slug": task, "task": text}) for task, text in TABLE.items()]
    (tmp_path / "tasks.jsonl").write_text("\n".join(lines) + "\n\n")

    assert read_sentences(tmp_path / "tasks.jsonl") == WANTED


def test_lerobot_is_found_where_it_is_installed(tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (lerobot(tmp_path, "metaworld.py", MODULE) / "__init__.py").touch()

    assert read_sentences(None) == WANTED


def test_without_a_copy_the_remedy_is_said(monkeypatch) -> None:
    monkeypatch.setattr(told, "find_spec", lambda name: None)

    with pytest.raises(ConfigError, match="--sentences FOLDER_OF_LEROBOT"):
        read_sentences(None)


SPOILED = {
    "no JSON": ("a.json", "{", "holds no sentences"),
    "no table": ("a.json", "[1]", "holds no sentences"),
    "no sentence": ("a.json", '{"push": 3}', "holds no sentences"),
    "beyond ASCII": ("a.json", '{"push": "sch\\u00f6b"}', "printable ASCII"),
    "no task": ("a.json", '{"fly": "fly"}', "names no MetaWorld task"),
    "no slug": ("a.jsonl", '{"task": "fly"}', "holds no sentences: 'slug'"),
    "no table in Python": ("a.py", "data = {}", "it has no TASK_DESCRIPTIONS"),
    "no Python": ("a.py", "data = {", "holds no sentences"),
}


@pytest.mark.parametrize(("name", "text", "complaint"), SPOILED.values(), ids=SPOILED.keys())
def test_what_holds_no_sentences_is_named(name, text, complaint, tmp_path) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(ConfigError, match=complaint):
        read_sentences(tmp_path / name)


def test_a_place_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.*holds no sentences"):
        read_sentences(tmp_path / "nowhere")
