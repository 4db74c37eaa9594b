"""Tests for evaluation/told.py."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tinyvla_gym.errors import ConfigError, DatasetError
from tinyvla_gym.evaluation import lerobot_tasks, told
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


class TestDatasets:
    """LeRobot datasets say which sentences there are, and not which tasks they name."""

    @pytest.fixture(autouse=True)
    def known(self, monkeypatch):
        """Two sentences of our own, one of which names two tasks."""
        for words, tasks in (("shove it", ("push", "push-back")), ("go there", ("reach",))):
            digest = lerobot_tasks.digest_of(words)
            monkeypatch.setitem(lerobot_tasks.TASKS, digest, tasks)

    def dataset(self, folder, *sentences, index_name="task"):
        """A dataset of version 3 of which nothing but the table of sentences is here."""
        (folder / "meta").mkdir(parents=True)
        columns = {"task_index": range(len(sentences)), index_name: sentences}
        pq.write_table(pa.table(columns), folder / "meta/tasks.parquet")
        return folder

    @pytest.mark.parametrize("index_name", ["task", "__index_level_0__"])
    def test_a_sentence_that_names_two_tasks_is_told_in_both(self, tmp_path, index_name) -> None:
        folder = self.dataset(tmp_path / "x", "Go there.", "shove  it", index_name=index_name)
        wanted = {"push": "shove  it", "push-back": "shove  it", "reach": "Go there."}

        assert read_sentences(folder) == wanted
        assert read_sentences(folder / "meta/tasks.parquet") == wanted

    def test_older_versions(self, tmp_path) -> None:
        (tmp_path / "meta").mkdir()
        rows = [{"task_index": 0, "task": "go there"}]
        (tmp_path / "meta/tasks.jsonl").write_text("\n".join(map(json.dumps, rows)))

        assert read_sentences(tmp_path) == {"reach": "go there"}
        assert read_sentences(tmp_path / "meta/tasks.jsonl") == {"reach": "go there"}

    def test_a_sentence_that_nobody_knows_is_named_with_the_remedy(self, tmp_path) -> None:
        folder = self.dataset(tmp_path / "x", "go there", "fold the shirt")

        with pytest.raises(ConfigError, match=r"'fold the shirt'.\nSay which task .* JSON"):
            read_sentences(folder)

    def test_a_table_without_a_sentence_is_named(self, tmp_path) -> None:
        with pytest.raises(ConfigError, match="not one that it does"):
            read_sentences(self.dataset(tmp_path / "x"))

    def test_a_table_that_was_cut_short_is_named(self, tmp_path) -> None:
        table = self.dataset(tmp_path / "x", "go there") / "meta/tasks.parquet"
        table.write_bytes(table.read_bytes()[:-9])

        with pytest.raises(DatasetError, match=r"tasks.parquet.*damaged"):
            read_sentences(tmp_path / "x")


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
