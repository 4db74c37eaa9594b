"""What is wrong with a dataset: nothing is read wrongly in silence, and the rest can be saved."""

import shutil

import numpy as np
import pytest
from same_episodes import assert_same

from tinyvla_gym.data.cache import open_cache
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.data.lerobot.edit import merge_datasets
from tinyvla_gym.data.lerobot.repair import repair
from tinyvla_gym.errors import DatasetError

DATA = "data/chunk-000/file-{:03d}.parquet"
FILM = "videos/observation.images.wide/chunk-000/file-{:03d}.mp4"


@pytest.fixture
def folder(record, film_interface):
    """Two episodes, and two that were appended: each pair has files of its own."""
    record("data", range(2), shown=film_interface)
    return record("data", range(2, 4), shown=film_interface, append=True)


def episodes(folder):
    dataset = Dataset(folder)
    return [dataset.episode(index) for index in range(len(dataset))]


def cut_short(path, rng):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(rng.integers(len(whole)))])


def fill_with_zeros(path, rng):
    """What some file systems leave after a power cut: the length is right."""
    whole = path.read_bytes()
    start = int(rng.integers(len(whole) - 1))
    path.write_bytes(whole[:start] + bytes(len(whole) - start))


def remove(path, rng):
    path.unlink()


@pytest.mark.parametrize("name", [DATA, FILM])
@pytest.mark.parametrize("spoil", [cut_short, fill_with_zeros, remove])
@pytest.mark.parametrize("draw", range(2))
def test_what_a_spoilt_file_does_not_hold_can_be_saved(folder, tmp_path, name, spoil, draw):
    before = episodes(folder)
    spoil(folder / name.format(1), np.random.default_rng(draw))

    done = repair(folder, salvage=tmp_path / "saved")

    assert set(done.unreadable) <= {2, 3}
    assert done.unreadable
    assert all(name.format(1) in problem for problem in done.unreadable.values())
    kept = [index for index in range(4) if index not in done.unreadable]
    for index, saved in zip(kept, episodes(tmp_path / "saved"), strict=True):
        assert saved.seed == before[index].seed
        assert_same(saved, before[index])


@pytest.mark.parametrize("name", [DATA, FILM])
def test_a_flipped_bit_is_never_read_in_silence(folder, name):
    before = episodes(folder)
    path = folder / name.format(0)
    whole = path.read_bytes()
    complaints = []
    for place in np.random.default_rng(0).integers(len(whole), size=40):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            after = episodes(folder)
        except DatasetError as problem:
            complaints.append(str(problem))
            continue
        for one, other in zip(before, after, strict=True):
            assert_same(one, other)  # it was a bit that nobody reads

    assert len(complaints) > 10
    assert all(str(path) in complaint for complaint in complaints)


@pytest.mark.parametrize("name", [DATA, FILM])
def test_files_of_another_dataset_are_noticed(folder, record, film_interface, tmp_path, name):
    other = record("other", range(3, 5), shown=film_interface)  # as long as seeds 0 and 1 are
    shutil.copy(other / name.format(0), folder / name.format(0))

    done = repair(folder)

    assert list(done.unreadable) == [0, 1]
    assert all("not what was recorded" in problem for problem in done.unreadable.values())
    for use in (
        lambda: Dataset(folder).tick(0, 2),
        lambda: merge_datasets([folder, folder], tmp_path / "merged"),
        lambda: open_cache(folder, cache_root=tmp_path / "cache"),
    ):
        with pytest.raises(DatasetError, match="not what was recorded"):
            use()
    assert not (tmp_path / "merged").exists()


def test_copies_know_their_frames_as_well_as_the_original(folder, tmp_path):
    merged = merge_datasets([folder, folder], tmp_path / "merged")
    path = merged.folder / FILM.format(0)
    whole = bytearray(path.read_bytes())
    whole[-20] ^= 16  # the last frame lies at the end
    path.write_bytes(whole)

    with pytest.raises(DatasetError, match="not what was recorded"):
        Dataset(merged.folder).episode(7)


@pytest.mark.parametrize("name", ["000001.parquet", "000001.wide.mp4"])
@pytest.mark.parametrize("spoil", [cut_short, fill_with_zeros, remove])
def test_a_spoilt_staged_episode_costs_no_other(
    start_writer, make_episode, film_interface, name, spoil
):
    writer = start_writer(shown=film_interface)
    for seed in range(3):
        writer.add(make_episode(seed, cameras=film_interface))
    spoil(writer.folder / "staging" / name, np.random.default_rng(0))

    done = repair(writer.folder)

    assert Dataset(writer.folder).seeds == (0, 2)
    assert done.merged == 2
    assert bool(done.set_aside) == (spoil is not remove or name.endswith("mp4"))
