import json
import shutil
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.errors import DatasetError

DATA = "data/chunk-000/file-000.parquet"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
FILM = "videos/observation.images.wide/chunk-000/file-000.mp4"


@pytest.fixture
def film_folder(start_writer, make_episode, film_interface):
    with start_writer(shown=film_interface) as writer:
        for seed in range(2):
            writer.add(make_episode(seed, cameras=film_interface))
    return writer.folder


def test_the_facts_of_every_episode_are_known_without_reading_it(dataset_folder, interface):
    dataset = Dataset(dataset_folder)

    assert len(dataset) == 3
    assert dataset.frames == 15
    assert dataset.lengths.tolist() == [4, 6, 5]
    assert dataset.interface == interface
    assert (dataset.profile, dataset.profile_hash) == ("fast-1", "0123456789ab")
    assert dataset.instructions == ("open the drawer", "reach the ball", "open the drawer")
    assert dataset.tasks == ("drawer-open", "reach", "drawer-open")
    assert dataset.seeds == (0, 1, 2)
    assert dataset.sources == ("expert",) * 3
    assert dataset.successes == (True,) * 3


def test_statistics_are_those_of_all_frames(dataset_folder):
    dataset = Dataset(dataset_folder)

    actions = np.concatenate([dataset.episode(index).action for index in range(3)])

    found = dataset.statistics["action"]
    np.testing.assert_allclose(found.mean, actions.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.q99, np.quantile(actions, 0.99, axis=0), rtol=1e-6)
    assert found.count == 15


def test_negative_numbers_count_from_the_end_and_others_are_refused(dataset_folder):
    dataset = Dataset(dataset_folder)

    assert dataset.episode(-1).seed == 2
    with pytest.raises(IndexError):
        dataset.episode(3)


def test_frames_are_found_wherever_their_rows_lie(dataset_folder):
    before = Dataset(dataset_folder).episode(1)
    path = dataset_folder / DATA
    table = pq.read_table(path)
    pq.write_table(table.take(np.random.default_rng(0).permutation(len(table))), path)

    after = Dataset(dataset_folder).episode(1)

    np.testing.assert_array_equal(after.action, before.action)
    np.testing.assert_array_equal(after.images["near"], before.images["near"])


def test_the_fingerprint_follows_the_content_and_not_the_place(dataset_folder, tmp_path):
    copy = shutil.copytree(dataset_folder, tmp_path / "copy")
    fingerprint = Dataset(dataset_folder).fingerprint()

    assert Dataset(copy).fingerprint() == fingerprint
    stats = json.loads((copy / "meta/stats.json").read_text())
    stats["action"]["mean"][0] += 0.5
    (copy / "meta/stats.json").write_text(json.dumps(stats))
    assert Dataset(copy).fingerprint() != fingerprint


@pytest.mark.parametrize("name", ["meta/tinyvla_gym.json", DATA, EPISODES, FILM])
def test_a_missing_file_is_named(film_folder, name):
    (film_folder / name).unlink()

    with pytest.raises(DatasetError, match="missing") as caught:
        Dataset(film_folder)

    assert name in str(caught.value)


@pytest.mark.parametrize("name", ["meta/info.json", "meta/tinyvla_gym.json", DATA, EPISODES])
@pytest.mark.parametrize("part_frac", [0.0, 0.5, 0.99])
def test_a_file_cut_short_is_named(dataset_folder, name, part_frac):
    path = dataset_folder / name
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part_frac * len(whole))])

    with pytest.raises(DatasetError, match=r"damaged.*Copy the dataset again") as caught:
        Dataset(dataset_folder)

    assert str(path) in str(caught.value)


@pytest.mark.parametrize("part_frac", [0.0, 0.5, 0.9])
def test_a_film_cut_short_is_named(film_folder, part_frac):
    path = film_folder / FILM
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part_frac * len(whole))])
    dataset = Dataset(film_folder)

    with pytest.raises(DatasetError, match="damaged") as caught:
        dataset.episode(1)

    assert str(path) in str(caught.value)


def test_rows_that_were_lost_are_noticed(dataset_folder):
    path = dataset_folder / DATA
    pq.write_table(pq.read_table(path).slice(0, 14), path)

    with pytest.raises(DatasetError, match="it has 14 of 15 frames"):
        Dataset(dataset_folder)


def test_episodes_that_were_lost_are_noticed(dataset_folder):
    path = dataset_folder / EPISODES
    pq.write_table(pq.read_table(path).slice(0, 2), path)

    with pytest.raises(DatasetError, match=r"it lists 2 episodes, and info\.json 3"):
        Dataset(dataset_folder)


def test_a_damaged_picture_is_noticed(dataset_folder):
    path = dataset_folder / DATA
    table = pq.read_table(path)
    broken = [{"bytes": b"\x89PNG", "path": "frame"}] * len(table)
    field = table.schema.field(0)
    table = table.set_column(0, field, [broken])
    pq.write_table(table, path)

    with pytest.raises(DatasetError, match="damaged"):
        Dataset(dataset_folder).episode(0)


def test_a_column_that_was_lost_is_named(dataset_folder):
    path = dataset_folder / DATA
    pq.write_table(pq.read_table(path).drop_columns("sent_action"), path)

    with pytest.raises(DatasetError, match=r"lacks .*sent_action"):
        Dataset(dataset_folder).episode(0)


def test_what_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        Dataset(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="not a LeRobot dataset"):
        Dataset(tmp_path)


@pytest.mark.parametrize(
    ("name", "key", "value", "words"),
    [
        ("meta/info.json", "codebase_version", "v2.1", "follows LeRobot v2.1"),
        ("meta/tinyvla_gym.json", "format_version", 2, "Install a newer tinyvla-gym"),
    ],
)
def test_other_versions_are_refused(dataset_folder, name, key, value, words):
    path = dataset_folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))

    with pytest.raises(DatasetError, match=words):
        Dataset(dataset_folder)


def test_any_tick_can_be_read_by_itself(film_folder):
    dataset = Dataset(film_folder)
    episodes = [dataset.episode(index) for index in range(2)]

    for index, step in ((1, 3), (0, 4), (1, 0), (0, -1)):
        tick, episode = dataset.tick(index, step), episodes[index]
        assert tick.timestamp_s == (step % len(episode)) / 20
        assert tick.observation.keys() == {"image_near", "image_wide", "state", "instruction"}
        for camera, images in episode.images.items():
            np.testing.assert_array_equal(tick.observation[f"image_{camera}"], images[step])
        np.testing.assert_array_equal(tick.observation["state"], episode.state[step])
        np.testing.assert_array_equal(tick.action, episode.action[step])
        np.testing.assert_array_equal(tick.sent_action, episode.sent_action[step])
        assert (tick.reward, tick.success) == (episode.reward[step], episode.success[step])
    with pytest.raises(IndexError):
        dataset.tick(0, 5)


def test_thousands_of_episodes_are_opened_in_a_moment(dataset_folder):
    rows, frames = pq.read_table(dataset_folder / EPISODES), pq.read_table(dataset_folder / DATA)
    copies = pa.concat_tables([rows] * 834)
    numbered = pa.array(range(2_502), pa.int64())
    place = copies.column_names.index("episode_index")
    copies = copies.set_column(place, "episode_index", numbered)
    pq.write_table(copies, dataset_folder / EPISODES)
    pq.write_table(pa.concat_tables([frames] * 834), dataset_folder / DATA)
    info = json.loads((dataset_folder / "meta/info.json").read_text())
    (dataset_folder / "meta/info.json").write_text(json.dumps({**info, "total_episodes": 2_502}))
    took_s = []
    for _ in range(5):
        began_s = time.process_time()  # other programs do not count
        dataset = Dataset(dataset_folder)
        took_s.append(time.process_time() - began_s)

    assert len(dataset) == 2_502
    assert min(took_s) < 1.0


def test_every_episode_has_its_statistics(dataset_folder):
    dataset = Dataset(dataset_folder)

    found = dataset.episode_statistics("action")

    assert [one.count for one in found] == [4, 6, 5]
    np.testing.assert_allclose(found[1].max, dataset.episode(1).action.max(axis=0), rtol=1e-6)


def test_a_frame_at_a_wrong_time_is_noticed(dataset_folder):
    path = dataset_folder / DATA
    table = pq.read_table(path)
    late_s = table["timestamp"].to_numpy() + np.float32(0.02) * (np.arange(15) == 5)
    place = table.schema.get_field_index("timestamp")
    late = table.set_column(place, table.schema.field(place), pa.array(late_s, pa.float32()))
    pq.write_table(late, path)

    with pytest.raises(DatasetError, match="episode 1 has frames that are not 20 per second"):
        Dataset(dataset_folder).episode(1)
