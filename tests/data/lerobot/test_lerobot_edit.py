import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from same_episodes import assert_same

from tinyvla_gym.data.lerobot import Coding, Dataset
from tinyvla_gym.data.lerobot import edit as module
from tinyvla_gym.data.lerobot.edit import (
    delete_episodes,
    keep_episodes,
    merge_datasets,
    reencode,
    split_dataset,
)
from tinyvla_gym.errors import ConfigError, DatasetError, OutputError

TABLES = "meta/episodes/chunk-000/file-000.parquet"


def test_a_merged_dataset_has_every_episode_bit_by_bit(record, film_interface, tmp_path):
    first = Dataset(record("first", range(3), shown=film_interface, env_ids=["a"]))
    second = Dataset(record("second", range(3, 5), shown=film_interface, env_ids=["b"]))

    merged = merge_datasets([first.folder, second.folder], tmp_path / "merged")

    assert merged.seeds == (0, 1, 2, 3, 4)
    assert merged.env_ids == ("a", "b")
    before = [*map(first.episode, range(3)), *map(second.episode, range(2))]
    for index, episode in enumerate(before):
        assert_same(merged.episode(index), episode)


def test_a_merged_dataset_is_described_as_one_that_was_recorded_at_once(record, tmp_path):
    parts = [record("first", range(3)), record("second", range(3, 7))]
    at_once = Dataset(record("whole", range(7)))

    merged = merge_datasets(parts, tmp_path / "merged")

    assert json.loads((merged.folder / "meta/info.json").read_text()) == json.loads(
        (at_once.folder / "meta/info.json").read_text()
    )
    for folder in ("data/chunk-000/file-000.parquet", TABLES, "meta/tasks.parquet"):
        mine, theirs = (pq.read_table(one.folder / folder) for one in (merged, at_once))
        assert mine.equals(theirs)
    for name, numbers in at_once.statistics.items():
        found = merged.statistics[name]
        wanted = ("min", "max", "mean", "std")
        quantiles = () if "images" in name else ("q01", "q50", "q99")  # pictures: estimates
        for one in (*wanted, *quantiles):
            np.testing.assert_allclose(getattr(found, one), getattr(numbers, one), atol=1e-12)


def test_datasets_that_do_not_fit_are_not_merged(record, film_interface, tmp_path):
    first = record("first", [0])
    for name, settings, words in (
        ("cameras", {"shown": film_interface}, "cameras: near 8x6 against"),
        ("profile", {"profile": "parity-1"}, "profile: fast-1 against parity-1"),
        ("coding", {"coding": Coding(lossless_px=0)}, "coding: "),
    ):
        with pytest.raises(DatasetError, match=words):
            merge_datasets([first, record(name, [1], **settings)], tmp_path / "merged")
    with pytest.raises(ConfigError, match="at least 2 datasets, got 1"):
        merge_datasets([first], tmp_path / "merged")

    assert not (tmp_path / "merged").exists()


def test_deleted_episodes_are_gone_and_the_others_as_they_were(record, film_interface, tmp_path):
    before = Dataset(record("before", range(5), shown=film_interface))

    after = delete_episodes(before.folder, [0, 3], tmp_path / "after")

    assert after.seeds == (1, 2, 4)
    assert len(Dataset(before.folder)) == 5
    for index, old in enumerate((1, 2, 4)):
        assert_same(after.episode(index), before.episode(old))


def test_a_sentence_that_nobody_says_any_more_leaves_the_tasks(record, tmp_path):
    after = keep_episodes(record("before", range(4)), [1, 3], tmp_path / "after")

    assert after.files.sentences == {0: "reach the ball"}


@pytest.mark.parametrize(
    ("episodes", "words"),
    [([5], "0 to 2, and no 5"), ([-1], "and no -1"), ([0, 1, 2], "No episode would be left")],
)
def test_an_impossible_choice_is_refused(record, tmp_path, episodes, words):
    with pytest.raises(ConfigError, match=words):
        delete_episodes(record("before", range(3)), episodes, tmp_path / "after")

    assert not (tmp_path / "after").exists()


def test_a_split_deals_every_episode_once_and_each_task_evenly(record, tmp_path):
    before = record("before", range(20))

    parts = split_dataset(before, {"train": 0.8, "val": 0.2}, tmp_path / "parts")

    assert {name: len(one) for name, one in parts.items()} == {"train": 16, "val": 4}
    assert sorted(parts["train"].seeds + parts["val"].seeds) == list(range(20))
    assert parts["val"].tasks.count("reach") == 2
    assert parts["val"].folder == tmp_path / "parts" / "val"


def test_a_split_tells_how_far_all_of_it_is(record, tmp_path):
    heard = []

    split_dataset(
        record("data", range(4)),
        {"train": 0.75, "val": 0.25},
        tmp_path / "parts",
        progress=lambda *facts: heard.append(facts),
    )

    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_split_follows_its_seed(record, tmp_path):
    before = record("before", range(12))

    def validated(seed, name):
        parts = split_dataset(before, {"train": 0.5, "val": 0.5}, tmp_path / name, seed=seed)
        return parts["val"].seeds

    assert validated(1, "a") == validated(1, "b")
    assert validated(1, "c") != validated(2, "d")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"a": 0.5, "b": 0.4}, "add up to 1"),
        ({"a": 1.5, "b": -0.5}, "positive"),
        ({"a": 0.99, "b": 0.01}, "b would be left without"),
    ],
)
def test_an_impossible_split_is_refused(record, tmp_path, parts, words):
    with pytest.raises(ConfigError, match=words):
        split_dataset(record("before", range(3)), parts, tmp_path / "parts")


@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_pictures_can_become_film(record, interface, tmp_path, codec):
    before = Dataset(record("before", range(2)))

    after = reencode(before.folder, Coding(codec=codec, lossless_px=0), tmp_path / "after")

    feature = after.files.features["observation.images.near"]
    assert (feature["dtype"], feature["info"]["video.codec"]) == ("video", codec)
    for index in range(2):
        old, new = (one.episode(index) for one in (before, after))
        np.testing.assert_array_equal(new.action, old.action)
        assert np.abs(new.images["near"] - old.images["near"].astype(float)).mean() < 8


def test_film_can_become_pictures_without_further_loss(record, film_interface, tmp_path):
    before = Dataset(record("before", range(2), shown=film_interface))

    after = reencode(before.folder, Coding(lossless_px=200), tmp_path / "after")

    assert list(after.folder.glob("videos/**/*.mp4")) == []
    for index in range(2):
        assert_same(after.episode(index), before.episode(index))


def test_a_place_in_use_is_left_alone(record, tmp_path):
    before = record("before", range(3))
    (tmp_path / "after").mkdir()
    (tmp_path / "after/letter.txt").write_text("precious")

    with pytest.raises(OutputError, match="not empty"):
        delete_episodes(before, [0], tmp_path / "after")

    assert (tmp_path / "after/letter.txt").read_text() == "precious"


def test_an_interrupted_copy_leaves_nothing(record, tmp_path, monkeypatch):
    before = record("before", range(3))
    monkeypatch.setattr(module, "merge", lambda *facts: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        delete_episodes(before, [0], tmp_path / "after")

    assert [path.name for path in tmp_path.iterdir()] == ["before"]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"codec": "mpeg2"}, "must be h264 or av1, got 'mpeg2'"),
        ({"crf": 64}, "crf must be from 0 to 63, got 64"),
        ({"key_every": 0}, "key_every must be from 1"),
    ],
)
def test_an_impossible_coding_is_refused(facts, words):
    with pytest.raises(ConfigError, match=words):
        Coding(**facts)
