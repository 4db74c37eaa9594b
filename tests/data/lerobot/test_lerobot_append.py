import numpy as np
import pyarrow.parquet as pq
import pytest
from same_episodes import assert_same

from tinyvla_gym.data.lerobot import Dataset, DatasetWriter, joining, merge
from tinyvla_gym.data.lerobot.repair import repair
from tinyvla_gym.errors import DatasetError, OutputError

KNOWN = {"profile": "fast-1", "profile_hash": "0123456789ab"}


def test_what_is_appended_comes_after_what_was_there(record, film_interface):
    folder = record("data", range(3), shown=film_interface)
    before = [Dataset(folder).episode(index) for index in range(3)]

    record("data", range(3, 5), shown=film_interface, append=True, env_ids=["late"])
    record("data", [5], shown=film_interface, append=True)

    after, whole = Dataset(folder), Dataset(record("whole", range(6), shown=film_interface))
    assert after.seeds == (0, 1, 2, 3, 4, 5)
    assert after.env_ids == ("late",)
    for index in range(6):
        assert_same(after.episode(index), whole.episode(index))
    for index in range(3):
        assert_same(after.episode(index), before[index])


def test_an_appended_dataset_counts_on_and_knows_its_statistics(record):
    folder = record("data", range(3))

    record("data", range(3, 7), append=True)

    dataset, whole = Dataset(folder), Dataset(record("whole", range(7)))
    table = pq.ParquetDataset(folder / "data").read()
    assert sorted(table["index"].to_pylist()) == list(range(whole.frames))
    assert dataset.files.sentences == {0: "open the drawer", 1: "reach the ball"}
    for name in ("action", "observation.state", "index", "task_index"):
        found, wanted = dataset.statistics[name], whole.statistics[name]
        np.testing.assert_allclose(found.q99, wanted.q99)
        np.testing.assert_allclose(found.mean, wanted.mean)
        assert found.count == wanted.count
    pictures = "observation.images.near"
    np.testing.assert_allclose(
        dataset.statistics[pictures].std, whole.statistics[pictures].std, atol=1e-9
    )
    assert len(dataset.episode_statistics("action")) == 7


def test_the_dataset_is_whole_while_it_is_appended_to(record, make_episode, interface):
    folder = record("data", range(2))

    writer = DatasetWriter(folder, interface, append=True, **KNOWN)
    writer.add(make_episode(9))

    assert len(Dataset(folder)) == 2
    assert len(writer) == 3
    assert writer.recorded == (("drawer-open", 0), ("reach", 1), ("drawer-open", 9))


def test_an_interrupted_appending_goes_on(record, make_episode, interface):
    folder = record("data", range(2))
    DatasetWriter(folder, interface, append=True, **KNOWN).add(make_episode(8))

    with DatasetWriter(folder, interface, append=True, **KNOWN) as writer:
        writer.add(make_episode(9))

    assert Dataset(folder).seeds == (0, 1, 8, 9)


def test_nothing_appended_leaves_the_dataset_as_it_was(record, interface):
    folder = record("data", range(2))
    fingerprint = Dataset(folder).fingerprint()

    with DatasetWriter(folder, interface, append=True, **KNOWN):
        pass

    assert Dataset(folder).fingerprint() == fingerprint
    assert not (folder / "staging").exists()


def test_other_settings_are_refused(record, film_interface):
    record("data", range(2))

    with pytest.raises(OutputError, match="begun with other settings"):
        record("data", [2], shown=film_interface, append=True)


def test_what_is_no_dataset_takes_no_episodes(record, tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        record("nowhere", [0], append=True)


class Killed(BaseException):
    """Nothing in the package catches it, as nothing catches a kill."""


PLACES = {  # what is to be replaced by a kill, one after the other through a join
    "before the frames are written": (merge, "pq.ParquetWriter"),
    "before the films are joined": (merge, "join_mp4"),
    "before meta.next is written": (merge, "write_meta"),
    "before meta gives way": (joining, "settle"),
    "before the staged episodes go": (joining.shutil, "rmtree"),
}


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("how", ["append again", "repair"])
def test_a_join_that_was_killed_loses_and_doubles_nothing(
    record, make_episode, film_interface, monkeypatch, where, how
):
    folder = record("data", range(2), shown=film_interface)
    before = [Dataset(folder).episode(index) for index in range(2)]
    writer = DatasetWriter(folder, film_interface, append=True, **KNOWN)
    writer.add(make_episode(2, cameras=film_interface))
    module, name = PLACES[where]

    def kill(*facts, **settings):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"{module.__name__}.{name}", kill)
        with pytest.raises(Killed):
            writer.finalize()
    if how == "repair":
        repair(folder)
    else:
        DatasetWriter(folder, film_interface, append=True, **KNOWN).finalize()

    after = Dataset(folder)
    assert after.seeds == (0, 1, 2)
    for index in range(2):
        assert_same(after.episode(index), before[index])
    leftovers = {path.name for path in folder.iterdir()} - {"data", "meta", "videos"}
    assert leftovers == set()
    assert pq.ParquetDataset(folder / "data").read().num_rows == after.frames
