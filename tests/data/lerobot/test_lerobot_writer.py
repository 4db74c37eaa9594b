import errno
import signal
import subprocess
import sys
from unittest.mock import Mock

import numpy as np
import pytest

from tinyvla_gym.data.lerobot import Dataset, DatasetWriter, merge, staging
from tinyvla_gym.errors import DatasetError, OutputError

RECORD_FOREVER = """
import sys
import numpy as np
from tinyvla_gym.data.episode import Episode
from tinyvla_gym.data.lerobot import DatasetWriter
from tinyvla_gym.interface import Camera, Interface

interface = Interface(
    cameras=(Camera(name="near", height=96, width=96),), state=("x_m",), state_low=(0.0,),
    state_high=(1.0,), action=("dx_m",), action_low=(0.0,), action_high=(1.0,), control_hz=20.0,
    action_mode="native",
)
resume = "--resume" in sys.argv
writer = DatasetWriter(sys.argv[1], interface, profile="", profile_hash="", resume=resume)
noise = np.random.default_rng(0).integers(0, 256, (50, 96, 96, 3), dtype=np.uint8)
while True:
    seed = len(writer)
    column = np.full((50, 1), seed, np.float32)
    writer.add(Episode(
        images={"near": noise}, state=column, action=column, sent_action=column,
        reward=column[:, 0], success=np.ones(50, bool), instruction="reach", seed=seed,
    ))
    print(seed, flush=True)
    if resume:
        break
if resume:
    writer.finalize()
"""


def assert_same(one, other):
    for name in ("state", "action", "sent_action", "reward", "success"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
    for name in ("instruction", "seed", "task", "source"):
        assert getattr(one, name) == getattr(other, name)


def test_what_was_written_is_read_back_bit_by_bit(start_writer, make_episode):
    kept = [make_episode(0), make_episode(1, ticks=1, source="human", task=""), make_episode(2)]

    with start_writer(env_ids=["TinyVLA/Reach-v0"]) as writer:
        for episode in kept:
            writer.add(episode)

    dataset = Dataset(writer.folder)
    assert len(dataset) == 3
    assert dataset.env_ids == ("TinyVLA/Reach-v0",)
    for index, episode in enumerate(kept):
        assert_same(dataset.episode(index), episode)
        np.testing.assert_array_equal(dataset.episode(index).images["near"], episode.images["near"])


def test_a_large_camera_becomes_a_film_that_looks_the_same(
    start_writer, make_episode, film_interface
):
    kept = [make_episode(seed, ticks=seed + 3, cameras=film_interface) for seed in range(3)]

    with start_writer(shown=film_interface) as writer:
        for episode in kept:
            writer.add(episode)

    dataset = Dataset(writer.folder)
    for index, episode in enumerate(kept):
        found = dataset.episode(index)
        assert_same(found, episode)
        np.testing.assert_array_equal(found.images["near"], episode.images["near"])
        wide = episode.images["wide"].astype(float)
        assert found.images["wide"].shape == wide.shape
        assert np.abs(found.images["wide"] - wide).mean() < 4


def test_an_interface_with_single_entries_is_read_back(start_writer, make_episode, interface):
    narrow = type(interface).from_dict(
        {
            **interface.to_dict(),
            "action": ("dx_m",),
            "action_low": (-1.0,),
            "action_high": (1.0,),
        }
    )
    episode = make_episode(0, action=np.ones((5, 1), np.float32), sent_action=np.zeros((5, 1), "f"))

    with start_writer(shown=narrow) as writer:
        writer.add(episode)

    assert_same(Dataset(writer.folder).episode(0), episode)


def test_small_files_roll_over(start_writer, make_episode, film_interface, monkeypatch):
    monkeypatch.setattr(merge, "_MEGABYTE", 1)
    monkeypatch.setattr(merge.schema, "CHUNK_FILES", 2)
    kept = [make_episode(seed, cameras=film_interface) for seed in range(3)]

    with start_writer(shown=film_interface) as writer:
        for episode in kept:
            writer.add(episode)

    names = {
        path.relative_to(writer.folder).as_posix()
        for path in writer.folder.rglob("*")
        if path.is_file()
    }
    for chunk, file in ((0, 0), (0, 1), (1, 0)):
        place = f"chunk-{chunk:03d}/file-{file:03d}"
        assert f"data/{place}.parquet" in names
        assert f"videos/observation.images.wide/{place}.mp4" in names
    dataset = Dataset(writer.folder)
    for index, episode in enumerate(kept):
        assert_same(dataset.episode(index), episode)


def test_progress_counts_episodes(start_writer, make_episode):
    writer = start_writer()
    writer.add(make_episode(0))
    writer.add(make_episode(1))
    told = []

    writer.finalize(progress=lambda done, total: told.append((done, total)))

    assert told == [(1, 2), (2, 2)]


def test_an_exception_leaves_the_episodes_staged(start_writer, make_episode):
    writer = start_writer()

    with pytest.raises(ZeroDivisionError), writer:
        writer.add(make_episode(0)) or 1 / 0

    with pytest.raises(DatasetError, match="never finished; 1 episodes are staged"):
        Dataset(writer.folder)


def test_a_killed_recording_loses_the_open_episode_and_nothing_else(tmp_path):
    folder = tmp_path / "dataset"
    command = [sys.executable, "-c", RECORD_FOREVER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as recording:
        assert recording.stdout is not None
        acknowledged = [int(recording.stdout.readline()) for _ in range(3)]
        recording.send_signal(signal.SIGKILL)

    subprocess.run([*command, "--resume"], check=True, stdout=subprocess.DEVNULL)

    dataset = Dataset(folder)
    assert acknowledged == [0, 1, 2]
    assert len(dataset) >= 4
    assert dataset.seeds == tuple(range(len(dataset)))
    for index in range(len(dataset)):
        assert dataset.episode(index).action[0] == index


def test_resuming_goes_on_where_the_recording_broke_off(start_writer, make_episode):
    broken = start_writer()
    broken.add(make_episode(0))
    leftover = broken.folder / "staging/.000001.parquet.partial"
    leftover.write_bytes(b"half")

    writer = start_writer(resume=True)
    assert writer.recorded == (("drawer-open", 0),)
    writer.add(make_episode(1))
    writer.finalize()

    assert Dataset(writer.folder).seeds == (0, 1)
    assert not leftover.parent.exists()


def test_resuming_an_empty_folder_begins(start_writer, make_episode):
    with start_writer(resume=True) as writer:
        writer.add(make_episode(0))

    assert len(Dataset(writer.folder)) == 1


def test_envs_may_join_when_resuming(start_writer, make_episode):
    start_writer(env_ids=["a"]).add(make_episode(0))

    with start_writer(env_ids=["b", "a"], resume=True) as writer:
        writer.add(make_episode(1))

    assert Dataset(writer.folder).env_ids == ("a", "b")


def test_an_interrupted_merge_is_done_again(start_writer, make_episode, monkeypatch):
    writer = start_writer()
    writer.add(make_episode(0))
    with monkeypatch.context() as patch:
        patch.setattr(merge, "write_meta", lambda *described: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            writer.finalize()

    with start_writer(resume=True) as again:
        again.add(make_episode(1))

    assert Dataset(again.folder).seeds == (0, 1)


def test_other_settings_are_refused_when_resuming(start_writer, make_episode, film_interface):
    start_writer().add(make_episode(0))

    with pytest.raises(OutputError, match="cameras: near 8x6 against near 8x6, wide 168x176"):
        start_writer(shown=film_interface, resume=True)
    with pytest.raises(OutputError, match="profile: fast-1 against parity-1"):
        start_writer(profile="parity-1", resume=True)


def test_a_folder_in_use_is_refused(start_writer, tmp_path):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset/letter.txt").write_text("precious")

    with pytest.raises(OutputError, match="not empty"):
        start_writer()

    assert (tmp_path / "dataset/letter.txt").read_text() == "precious"


@pytest.mark.parametrize("place", ["file", "file/dataset"])
def test_a_place_that_cannot_be_written_is_refused(tmp_path, interface, place):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(OutputError, match=f"Cannot write to .*{place}: Not a directory"):
        DatasetWriter(tmp_path / place, interface, profile="", profile_hash="")


def test_a_disk_that_fills_up_loses_only_the_episode(start_writer, make_episode, monkeypatch):
    writer = start_writer()
    writer.add(make_episode(0))
    full = OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(staging.pq, "write_table", Mock(side_effect=full))
        with pytest.raises(OutputError, match=r"000001\.parquet: No space left on device"):
            writer.add(make_episode(1))
    writer.add(make_episode(2))
    writer.finalize()

    assert Dataset(writer.folder).seeds == (0, 2)


def test_a_finished_dataset_takes_no_more(start_writer, make_episode):
    with start_writer() as writer:
        writer.add(make_episode(0))

    writer.finalize()
    with pytest.raises(OutputError, match="takes no more episodes"):
        writer.add(make_episode(1))
    with pytest.raises(OutputError, match="holds a finished dataset"):
        start_writer(resume=True)


def test_nothing_recorded_leaves_nothing(start_writer, make_episode):
    with pytest.raises(OutputError, match="no episode was recorded"):
        start_writer().finalize()

    with start_writer() as writer:
        writer.add(make_episode(0))
    assert len(Dataset(writer.folder)) == 1


def test_an_episode_that_does_not_fit_is_refused(start_writer, make_episode, film_interface):
    writer = start_writer()

    with pytest.raises(DatasetError, match="seed 0 does not fit"):
        writer.add(make_episode(0, cameras=film_interface))
    with pytest.raises(DatasetError, match="seed 1 does not fit"):
        writer.add(make_episode(1, state=np.zeros((5, 4), np.float32)))

    assert len(writer) == 0
