import pyarrow.parquet as pq
import pytest
from same_episodes import assert_same

from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.data.lerobot.repair import repair
from tinyvla_gym.errors import DatasetError


def cut_short(path, part_frac=0.5):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part_frac * len(whole))])


def test_an_interrupted_recording_becomes_a_dataset(start_writer, make_episode):
    writer = start_writer()
    kept = [make_episode(seed) for seed in range(3)]
    for episode in kept:
        writer.add(episode)
    (writer.folder / "staging/.000003.parquet.partial").write_bytes(b"half an episode")

    done = repair(writer.folder)

    assert (done.merged, done.episodes, done.unreadable) == (3, 3, {})
    for index, episode in enumerate(kept):
        assert_same(Dataset(writer.folder).episode(index), episode)
    assert {path.name for path in writer.folder.iterdir()} == {"data", "meta"}


def test_a_film_without_its_episode_goes(start_writer, make_episode, film_interface):
    writer = start_writer(shown=film_interface)
    writer.add(make_episode(0, cameras=film_interface))
    (writer.folder / "staging/000001.wide.mp4").write_bytes(b"its parquet file never came")

    assert repair(writer.folder).episodes == 1


@pytest.mark.parametrize("pattern", ["000001.parquet", "000001.wide.mp4"])
def test_a_damaged_staged_episode_is_set_aside_and_costs_no_other(
    start_writer, make_episode, film_interface, pattern
):
    writer = start_writer(shown=film_interface)
    for seed in range(3):
        writer.add(make_episode(seed, cameras=film_interface))
    cut_short(writer.folder / "staging" / pattern)

    done = repair(writer.folder)

    assert Dataset(writer.folder).seeds == (0, 2)
    assert {path.name for path in done.set_aside} == {"000001.parquet", "000001.wide.mp4"}
    assert all(path.exists() for path in done.set_aside)


def test_nothing_recorded_is_nothing_to_repair(start_writer, tmp_path):
    writer = start_writer()

    with pytest.raises(DatasetError, match="not one episode"):
        repair(writer.folder)
    with pytest.raises(DatasetError, match="no such folder"):
        repair(tmp_path / "nowhere")


def test_a_sound_dataset_stays_as_it_is(dataset_folder):
    fingerprint = Dataset(dataset_folder).fingerprint()

    done = repair(dataset_folder)

    assert (done.episodes, done.merged, done.orphans, done.unreadable) == (3, 0, [], {})
    assert Dataset(dataset_folder).fingerprint() == fingerprint


def test_files_that_no_episode_needs_go(dataset_folder):
    orphan = dataset_folder / "data/chunk-000/file-007.parquet"
    orphan.write_bytes(b"of a join that was never finished")

    assert repair(dataset_folder).orphans == [orphan]
    assert pq.ParquetDataset(dataset_folder / "data").read().num_rows == 15


@pytest.mark.parametrize("spoil", ["cut short", "missing"])
def test_readable_episodes_of_a_damaged_dataset_are_saved(record, film_interface, tmp_path, spoil):
    folder = record("data", range(2), shown=film_interface)
    record("data", range(2, 4), shown=film_interface, append=True)
    before = [Dataset(folder).episode(index) for index in range(2)]
    film = folder / "videos/observation.images.wide/chunk-000/file-001.mp4"
    film.unlink() if spoil == "missing" else cut_short(film)

    done = repair(folder, salvage=tmp_path / "saved")

    assert sorted(done.unreadable) == [2, 3]
    assert all("file-001.mp4" in problem for problem in done.unreadable.values())
    saved = Dataset(tmp_path / "saved")
    for index, episode in enumerate(before):
        assert_same(saved.episode(index), episode)


def test_a_flipped_bit_is_noticed(dataset_folder):
    path = dataset_folder / "data/chunk-000/file-000.parquet"
    content = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(1).column(0)
    content[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(content)

    done = repair(dataset_folder)

    assert list(done.unreadable) == [1]
    assert "damaged" in done.unreadable[1]
