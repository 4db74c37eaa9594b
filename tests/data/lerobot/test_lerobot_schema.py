"""The files against the rules of LeRobotDataset v3.0, column by column."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tinyvla_gym.data.lerobot import Coding, schema
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.interface import Interface

STATISTICS = ["min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99"]
NUMBERS = [
    "observation.state",
    "action",
    "sent_action",
    "next.reward",
    "next.success",
    "next.done",
    "timestamp",
    "frame_index",
    "episode_index",
    "index",
    "task_index",
]


def info(folder):
    return json.loads((folder / "meta/info.json").read_text())


def test_info_has_every_key_of_the_format(dataset_folder):
    facts = info(dataset_folder)

    features = facts.pop("features")
    assert facts == {
        "codebase_version": "v3.0",
        "robot_type": "metaworld",
        "total_episodes": 3,
        "total_frames": 15,
        "total_tasks": 2,
        "chunks_size": 1000,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": 20,
        "splits": {"train": "0:3"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": None,
    }
    assert list(features) == ["observation.images.near", *NUMBERS]


def test_features_say_type_shape_and_names(dataset_folder):
    features = info(dataset_folder)["features"]

    assert features["observation.images.near"] == {
        "dtype": "image",
        "shape": [8, 6, 3],
        "names": ["height", "width", "channels"],
    }
    assert features["observation.state"] == {
        "dtype": "float32",
        "shape": [3],
        "names": ["x_m", "y_m", "open_frac"],
    }
    assert features["action"]["names"] == features["sent_action"]["names"] == ["dx_m", "close_frac"]
    for name, dtype in {
        "next.reward": "float32",
        "next.success": "bool",
        "next.done": "bool",
        "timestamp": "float32",
        "frame_index": "int64",
        "episode_index": "int64",
        "index": "int64",
        "task_index": "int64",
    }.items():
        assert features[name] == {"dtype": dtype, "shape": [1], "names": None}


def test_a_film_says_how_it_is_coded(film_interface):
    feature = schema.features(film_interface, Coding())["observation.images.wide"]

    assert feature["dtype"] == "video"
    assert feature["shape"] == [168, 176, 3]
    assert feature["info"] == {
        "video.height": 168,
        "video.width": 176,
        "video.codec": "h264",
        "video.pix_fmt": "yuv420p",
        "video.is_depth_map": False,
        "video.fps": 20,
        "video.channels": 3,
        "has_audio": False,
        "video.g": 2,
        "video.crf": 18,
    }


def test_data_columns_have_the_types_of_the_format(dataset_folder):
    path = dataset_folder / "data/chunk-000/file-000.parquet"

    columns = {field.name: field.type for field in pq.read_schema(path)}

    assert list(columns) == ["observation.images.near", *NUMBERS]
    image = columns["observation.images.near"]
    assert image == pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    assert columns["observation.state"] == pa.list_(pa.float32(), 3)
    assert columns["action"] == columns["sent_action"] == pa.list_(pa.float32(), 2)
    assert columns["next.reward"] == columns["timestamp"] == pa.float32()
    assert columns["next.success"] == columns["next.done"] == pa.bool_()
    for name in ("frame_index", "episode_index", "index", "task_index"):
        assert columns[name] == pa.int64()


def test_data_files_are_snappy_with_a_row_group_per_episode(dataset_folder):
    metadata = pq.read_metadata(dataset_folder / "data/chunk-000/file-000.parquet")

    rows = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    assert rows == [4, 6, 5]
    assert metadata.row_group(0).column(0).compression == "SNAPPY"


def test_data_columns_count_as_the_format_says(dataset_folder):
    table = pq.read_table(dataset_folder / "data/chunk-000/file-000.parquet")

    assert table["index"].to_pylist() == list(range(15))
    assert table["episode_index"].to_pylist() == [0] * 4 + [1] * 6 + [2] * 5
    assert table["frame_index"].to_pylist() == [*range(4), *range(6), *range(5)]
    assert table["task_index"].to_pylist() == [0] * 4 + [1] * 6 + [0] * 5
    assert table["timestamp"].to_pylist()[4:7] == pytest.approx([0.0, 0.05, 0.1])
    assert [i for i, done in enumerate(table["next.done"].to_pylist()) if done] == [3, 9, 14]


def test_a_data_file_tells_the_datasets_library_what_a_picture_is(dataset_folder):
    path = dataset_folder / "data/chunk-000/file-000.parquet"

    note = json.loads(pq.read_schema(path).metadata[b"huggingface"])

    types = note["info"]["features"]
    assert types["observation.images.near"] == {"_type": "Image"}
    assert types["action"] == {
        "feature": {"dtype": "float32", "_type": "Value"},
        "length": 2,
        "_type": "List",
    }
    assert types["index"] == {"dtype": "int64", "_type": "Value"}


def test_tasks_are_ordered_and_pandas_takes_the_sentence_for_the_index(dataset_folder):
    table = pq.read_table(dataset_folder / "meta/tasks.parquet")

    assert table["task_index"].to_pylist() == [0, 1]
    assert table["task"].to_pylist() == ["open the drawer", "reach the ball"]
    note = json.loads(table.schema.metadata[b"pandas"])
    assert note["index_columns"] == ["task"]
    assert [column["name"] for column in note["columns"]] == ["task_index", "task"]


def test_the_episodes_table_has_a_row_per_episode(dataset_folder):
    table = pq.read_table(dataset_folder / "meta/episodes/chunk-000/file-000.parquet")

    rows = table.to_pylist()
    assert [row["episode_index"] for row in rows] == [0, 1, 2]
    assert [row["tasks"] for row in rows] == [
        ["open the drawer"],
        ["reach the ball"],
        ["open the drawer"],
    ]
    assert [row["length"] for row in rows] == [4, 6, 5]
    assert [row["dataset_from_index"] for row in rows] == [0, 4, 10]
    assert [row["dataset_to_index"] for row in rows] == [4, 10, 15]
    for place in ("data", "meta/episodes"):
        assert {row[f"{place}/chunk_index"] for row in rows} == {0}
        assert {row[f"{place}/file_index"] for row in rows} == {0}


def test_the_episodes_table_knows_what_is_ours(dataset_folder):
    table = pq.read_table(dataset_folder / "meta/episodes/chunk-000/file-000.parquet")

    assert table["seed"].to_pylist() == [0, 1, 2]
    assert table["task_name"].to_pylist() == ["drawer-open", "reach", "drawer-open"]
    assert table["source"].to_pylist() == ["expert"] * 3
    assert table["success"].to_pylist() == [True] * 3


def test_the_episodes_table_has_statistics_of_every_feature(dataset_folder):
    table = pq.read_table(dataset_folder / "meta/episodes/chunk-000/file-000.parquet")

    found = {name for name in table.column_names if name.startswith("stats/")}

    features = ["observation.images.near", *NUMBERS]
    assert found == {f"stats/{feature}/{name}" for feature in features for name in STATISTICS}
    row = table.to_pylist()[1]
    assert row["stats/frame_index/max"] == [5.0]
    assert row["stats/action/count"] == [6]
    assert len(row["stats/action/q99"]) == 2
    mean = row["stats/observation.images.near/mean"]
    assert (len(mean), len(mean[0]), len(mean[0][0])) == (3, 1, 1)


def test_stats_describe_all_frames_of_every_feature(dataset_folder):
    stats = json.loads((dataset_folder / "meta/stats.json").read_text())

    assert set(stats) == {"observation.images.near", *NUMBERS}
    assert all(set(one) == set(STATISTICS) for one in stats.values())
    assert stats["index"]["mean"] == [7.0]
    assert stats["index"]["q50"] == [7.0]
    assert stats["action"]["count"] == [15]
    assert 0 <= stats["observation.images.near"]["max"][0][0][0] <= 1


def test_our_own_facts_are_kept(dataset_folder, interface):
    facts = json.loads((dataset_folder / "meta/tinyvla_gym.json").read_text())

    assert facts["format_version"] == 1
    assert Interface.from_dict(facts["interface"]) == interface
    assert (facts["profile"], facts["profile_hash"]) == ("fast-1", "0123456789ab")
    assert facts["env_ids"] == []
    assert set(facts["units"]) == {"images", "state and action", "timestamp"}


def test_a_rate_that_is_no_whole_number_is_refused(interface):
    facts = {**interface.to_dict(), "control_hz": 12.5}

    with pytest.raises(ConfigError, match=r"whole number .* 12\.5"):
        schema.features(Interface.from_dict(facts), Coding())


def test_a_film_of_odd_size_is_refused(film_interface):
    facts = film_interface.to_dict()
    facts["cameras"][1]["height"] = 169

    with pytest.raises(ConfigError, match="needs even sizes"):
        schema.features(Interface.from_dict(facts), Coding())
