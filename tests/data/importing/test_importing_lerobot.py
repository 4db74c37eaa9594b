"""LeRobot datasets of others: their names, their omissions, their older versions."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tinyvla_gym.data.importing.guess import guess_mapping, remarks
from tinyvla_gym.data.importing.mapping import ColumnMapping
from tinyvla_gym.data.importing.open import import_dataset, open_source
from tinyvla_gym.data.lerobot import Coding, Dataset
from tinyvla_gym.data.lerobot.mp4 import write_mp4
from tinyvla_gym.errors import ConfigError, DatasetError, UnknownNameError


@pytest.fixture
def foreign(record, film_interface):
    """A dataset with film, pictures and nothing that only we write."""
    folder = record("foreign", range(3), shown=film_interface)
    (folder / "meta/tinyvla_gym.json").unlink()
    return folder


@pytest.fixture
def old(tmp_path):
    """Two episodes of v2.1: a camera as film, names in a dictionary, a sentence each."""
    folder = tmp_path / "old"
    motors = {"motors": ["waist", "elbow"]}
    features = {
        "observation.images.top": {"dtype": "video", "shape": [3, 32, 48],
                                   "names": ["channels", "height", "width"]},
        "observation.state": {"dtype": "float32", "shape": [2], "names": motors},
        "action": {"dtype": "float32", "shape": [2], "names": motors},
        "comment": {"dtype": "string", "shape": [1], "names": None},
    }  # fmt: skip
    info = {"codebase_version": "v2.1", "fps": 10, "total_episodes": 2, "chunks_size": 1}
    (folder / "meta").mkdir(parents=True)
    (folder / "meta/info.json").write_text(json.dumps({**info, "features": features}))
    rows = [{"episode_index": one, "tasks": [f"do {one}"], "length": 3 + one} for one in range(2)]
    (folder / "meta/episodes.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    for one in range(2):
        data = folder / f"data/chunk-{one:03d}/episode_{one:06d}.parquet"
        film = folder / f"videos/chunk-{one:03d}/observation.images.top/episode_{one:06d}.mp4"
        data.parent.mkdir(parents=True)
        film.parent.mkdir(parents=True)
        ticks = 3 + one
        numbers = pa.array([[tick, 10.0 * tick] for tick in range(ticks)], pa.list_(pa.float32()))
        columns = {"observation.state": numbers, "action": numbers, "comment": ["x"] * ticks}
        pq.write_table(pa.table({**columns, "frame_index": range(ticks)}), data)
        shades = np.arange(ticks, dtype=np.uint8)[:, None, None, None] * 40
        write_mp4(film, np.broadcast_to(shades, (ticks, 32, 48, 3)).copy(), 10, Coding())
    return folder


def imported(folder, out, mapping=None):
    source = open_source(folder, "lerobot")
    lost = import_dataset(source, mapping or guess_mapping(source), out)
    return Dataset(out), lost


def test_every_camera_and_number_comes_under_its_name(foreign, tmp_path):
    dataset, lost = imported(foreign, tmp_path / "out")

    assert {one.name: (one.height, one.width) for one in dataset.interface.cameras} == {
        "near": (8, 6),
        "wide": (168, 176),
    }
    assert dataset.interface.state == ("x_m", "y_m", "open_frac")
    assert dataset.instructions == ("open the drawer", "reach the ball", "open the drawer")
    assert lost == ["not read: next.done, sent_action"]
    assert dataset.episode(1).images["near"].any()


@pytest.mark.parametrize("name", ["meta/stats.json", "meta/tasks.parquet"])
def test_optional_files_may_be_missing(foreign, tmp_path, name):
    (foreign / name).unlink()

    assert len(imported(foreign, tmp_path / "out")[0]) == 3


def test_a_missing_film_matters_only_if_its_camera_is_wanted(foreign, tmp_path):
    for film in foreign.rglob("*.mp4"):
        film.unlink()
    source = open_source(foreign, "lerobot")
    everything = guess_mapping(source).to_dict()
    cameras = {"near": everything["cameras"]["near"]}

    some, _ = imported(foreign, tmp_path / "some", ColumnMapping.from_dict(
        {**everything, "cameras": cameras}))  # fmt: skip

    assert len(some) == 3
    with pytest.raises(DatasetError, match=r"\.mp4.*missing"):
        imported(foreign, tmp_path / "all")


def test_version_2_1_is_read(old, tmp_path):
    dataset, lost = imported(old, tmp_path / "out")

    assert dataset.lengths.tolist() == [3, 4]
    assert dataset.instructions == ("do 0", "do 1")
    assert dataset.interface.state == ("waist", "elbow")
    assert dataset.interface.state_high == (3.0, 30.0)
    assert dataset.interface.control_hz == 10
    episode = dataset.episode(1)
    assert episode.action[:, 1].tolist() == [0, 10, 20, 30]
    assert episode.images["top"].shape == (4, 32, 48, 3)
    np.testing.assert_allclose(episode.images["top"].mean(axis=(1, 2, 3)), [0, 40, 80, 120], atol=3)
    assert any("succeeded" in one for one in lost)


def test_an_old_episode_that_is_cut_short_is_named(old, tmp_path):
    path = old / "data/chunk-001/episode_000001.parquet"
    pq.write_table(pq.read_table(path).slice(0, 2), path)

    with pytest.raises(DatasetError, match=r"episode_000001\.parquet.*2 of 4 frames"):
        imported(old, tmp_path / "out")


def test_a_mapping_picks_renames_converts_and_resizes(old, tmp_path):
    mapping = ColumnMapping.from_dict({
        "control_hz": 10,
        "cameras": {"eye": {"column": "observation.images.top", "height": 16, "width": 24}},
        "state": [{"name": "elbow_rad", "column": "observation.state", "place": 1,
                   "scale": 0.1, "offset": 1.0, "low": 0.0, "high": 5.0}],
        "action": [{"name": "waist_rad", "column": "action", "place": 0, "low": 0, "high": 3}],
        "success": "last",
        "source": "human",
    })  # fmt: skip
    mapping.save(tmp_path / "mapping.json")
    assert ColumnMapping.load(tmp_path / "mapping.json") == mapping

    dataset, lost = imported(old, tmp_path / "out", mapping)

    episode = dataset.episode(0)
    np.testing.assert_allclose(episode.state[:, 0], [1.0, 2.0, 3.0])
    assert episode.images["eye"].shape == (3, 16, 24, 3)
    assert episode.success.tolist() == [False, False, True]
    assert episode.source == "human"
    assert lost == ["camera eye is resized from 32 x 48 px"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cameras": {"eye": {"column": "nope", "height": 4, "width": 4}}}, "reads nope"),
        ({"cameras": {"eye": {"column": "action", "height": 4, "width": 4}}}, "no pictures"),
        ({"reward": "luck"}, "reads luck"),
        ({"speed": 3}, "speed"),
    ],
)
def test_a_mapping_that_does_not_fit_is_explained(old, tmp_path, change, words):
    facts = guess_mapping(open_source(old, "lerobot")).to_dict()

    with pytest.raises(ConfigError, match=words):
        imported(old, tmp_path / "out", ColumnMapping.from_dict({**facts, **change}))

    assert not (tmp_path / "out").exists()


def test_an_entry_that_does_not_exist_is_named(old, tmp_path):
    facts = guess_mapping(open_source(old, "lerobot")).to_dict()
    action = [{**facts["action"][0], "place": 7}]

    with pytest.raises(ConfigError, match="waist is place 7 of action, which has 2"):
        imported(old, tmp_path / "out", ColumnMapping.from_dict({**facts, "action": action}))


def test_a_sentence_must_come_from_somewhere(old, tmp_path):
    rows = [json.dumps({"episode_index": one, "length": 3 + one}) for one in range(2)]
    (old / "meta/episodes.jsonl").write_text("\n".join(rows))
    source = open_source(old, "lerobot")
    facts = guess_mapping(source).to_dict()

    with pytest.raises(ConfigError, match="Episode 0 has no sentence"):
        imported(old, tmp_path / "none")
    told = ColumnMapping.from_dict({**facts, "instruction": "ouvre le café\n"})

    assert imported(old, tmp_path / "out", told)[0].instructions == ("ouvre le cafe",) * 2
    assert remarks(source, told)


def test_an_unknown_format_is_refused(old):
    with pytest.raises(UnknownNameError, match="Did you mean 'lerobot'"):
        open_source(old, "lerobto")
