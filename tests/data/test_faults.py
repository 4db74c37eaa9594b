"""What kills a recording: no finished episode is lost, and nothing is read wrongly in silence.

Recordings in processes of their own are killed at moments that nobody chose, while they add,
append, and merge; some write until their disk is full. ``test_damage.py`` spoils files,
``test_killed_collections.py`` kills collections and their workers, ``test_shards.py`` evaluations,
and further faults are in the tests of the writer, the reader, the cache and the repair.
"""

import shutil
import signal
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest

from tinyvla_gym.data.lerobot import Dataset, DatasetWriter
from tinyvla_gym.data.lerobot.repair import repair
from tinyvla_gym.errors import DatasetError, OutputError

RECORD = """
import resource, signal, sys
import numpy as np
from tinyvla_gym.data.episode import Episode
from tinyvla_gym.data.lerobot import DatasetWriter
from tinyvla_gym.interface import Camera, Interface

folder, largest_bytes = sys.argv[1], int(sys.argv[2])
interface = Interface(
    cameras=(Camera(name="near", height=32, width=32), Camera(name="wide", height=168, width=176)),
    state=("x_m",), state_low=(0.0,), state_high=(1.0,), action=("dx_m",), action_low=(0.0,),
    action_high=(1.0,), control_hz=20.0, action_mode="native",
)
def episode(seed):
    pictures = {
        one.name: np.full((6, one.height, one.width, 3), seed % 251, np.uint8)
        for one in interface.cameras
    }
    column = np.full((6, 1), seed, np.float32)
    return Episode(images=pictures, state=column, action=column, sent_action=column,
                   reward=column[:, 0], success=np.ones(6, bool), instruction="reach", seed=seed)
if largest_bytes:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_bytes, largest_bytes))
seed, first = 0, True
while True:  # five at a time join the dataset
    with DatasetWriter(folder, interface, profile="", profile_hash="", append=not first) as writer:
        for _ in range(5):
            writer.add(episode(seed))
            print(seed, flush=True)
            seed += 1
    first = False
"""


RECORD_ON = RECORD.replace("for _ in range(5):", "while True:")
"""Never lets its episodes join."""


def start(folder, largest_bytes=0, program=RECORD):
    command = [sys.executable, "-c", program, str(folder), str(largest_bytes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check_recovered(folder, acknowledged):
    """Every acknowledged episode is there once, in order, and holds what was recorded."""
    done = repair(folder)
    dataset = Dataset(folder)
    assert (done.set_aside, done.unreadable) == ([], {})
    assert dataset.seeds[: len(acknowledged)] == tuple(acknowledged)
    assert dataset.seeds == tuple(range(len(dataset)))
    assert len(dataset) <= len(acknowledged) + 1  # one may have been written and not yet told
    for index in range(len(dataset)):
        episode = dataset.episode(index)
        assert (episode.action == index).all()
        assert (episode.images["near"] == index % 251).all()
        assert np.abs(episode.images["wide"].astype(int) - index % 251).max() <= 4


@pytest.mark.slow
@pytest.mark.parametrize("life", range(8))
def test_a_recording_that_is_killed_at_any_moment_loses_nothing(tmp_path, life):
    life_s = float(np.random.default_rng(life).uniform(0.0, 0.8))
    folder = tmp_path / "data"
    with start(folder) as recording:
        first = recording.stdout.readline()
        time.sleep(life_s)
        recording.send_signal(signal.SIGKILL)
        told = first + recording.communicate()[0]

    check_recovered(folder, [int(line) for line in told.split("\n")[:-1] if line])


@pytest.mark.parametrize("largest_bytes", [3_000, 6_000, 12_000])
def test_a_disk_that_is_full_costs_only_the_episode_that_did_not_fit(tmp_path, largest_bytes):
    folder = tmp_path / "data"
    with start(folder, largest_bytes) as recording:
        told, complaint = recording.communicate(timeout=60)

    assert recording.returncode == 1
    assert "OutputError: Cannot write to" in complaint
    acknowledged = [int(line) for line in told.split()]
    if acknowledged:
        check_recovered(folder, acknowledged)
    else:
        with pytest.raises(DatasetError, match="not one episode"):
            repair(folder)


SMALL_DISK = """
mount -t tmpfs -o size=400k tmpfs "$1" || exit 77
"$2" -c "$3" "$1/data" 0
ended=$?
cp -r "$1/data" "$4"
exit $ended
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs Linux's unshare")
def test_a_small_disk_that_fills_up_costs_only_the_episode_that_did_not_fit(tmp_path):
    (tmp_path / "disk").mkdir()
    unshared = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", SMALL_DISK, "sh"]
    recording = subprocess.run(
        [*unshared, tmp_path / "disk", sys.executable, RECORD, tmp_path / "rescued"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if recording.returncode in (1, 77) and not recording.stdout:
        pytest.skip(f"no disk of one's own here: {recording.stderr}")

    assert recording.returncode == 1
    assert "No space left on device" in recording.stderr
    acknowledged = [int(line) for line in recording.stdout.split()]
    assert len(acknowledged) > 5  # some had joined the dataset already
    check_recovered(tmp_path / "rescued", acknowledged)


def test_a_second_process_may_not_record_into_the_same_folder(tmp_path, interface):
    folder = tmp_path / "data"
    facts = {"interface": interface, "profile": "", "profile_hash": ""}
    with start(folder, program=RECORD_ON) as recording:
        told = recording.stdout.readline()
        for use in (
            lambda: DatasetWriter(folder, resume=True, **facts),
            lambda: DatasetWriter(folder, append=True, **facts),
            lambda: repair(folder),
        ):
            with pytest.raises(OutputError, match="another process is recording into it"):
                use()
        recording.kill()
        told += recording.communicate()[0]

    check_recovered(folder, [int(line) for line in told.split("\n")[:-1]])


def test_memory_does_not_grow_with_the_episodes(start_writer, make_episode):
    writer, episode = start_writer(), make_episode(0, ticks=100)
    held_bytes = []
    tracemalloc.start()
    for count in range(1, 61):
        writer.add(episode)
        if count % 20 == 0:
            held_bytes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()

    grown_bytes = (held_bytes[2] - held_bytes[0]) / 40
    assert grown_bytes < 2_000  # its path, sentence, task and seed
