"""Collections by two workers that are killed: every finished episode stays, and ``--resume`` ends
with the dataset that would have come of it.
"""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from worker_processes import workers_of

from tinyvla_gym.data.lerobot import Dataset

EPISODES = 60
COLLECT = ("-m", "tinyvla_gym.cli.main", "collect", "reach-toy", "--episodes", str(EPISODES))
PLAN = ("--horizon", "60", "--linger", "0", "--workers", "2", "--resume")

pytestmark = pytest.mark.slow  # every start imports the package three times


def start(out):
    """Begins or goes on; the collection and its workers are a process group."""
    command = [sys.executable, *COLLECT, *PLAN, "--out", str(out)]
    return subprocess.Popen(
        command,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(out):
    """What is on the disk for good: name and content of each staged episode."""
    return {path.name: path.read_bytes() for path in (out / "staging").glob("*.parquet")}


def wait_for(condition, collection):
    while not condition() and collection.poll() is None:
        time.sleep(0.001)


def die(collection):
    with suppress(ProcessLookupError):
        os.killpg(collection.pid, signal.SIGKILL)
    collection.communicate()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The fingerprint of a collection that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole") / "data"
    collection = start(out)
    assert collection.communicate()[1] == ""
    return Dataset(out).fingerprint()


def check_resumed(out, kept, whole):
    """Goes on to the end: what was kept is kept, and the whole is as it would have been."""
    assert kept.items() <= finished(out).items()
    collection = start(out)
    complaint = collection.communicate()[1]
    assert (collection.returncode, complaint) == (0, "")
    assert len(Dataset(out)) == EPISODES
    assert Dataset(out).fingerprint() == whole


def test_killed_with_its_workers_at_five_random_moments(tmp_path, whole):
    out, rng, kept = tmp_path / "data", random.Random(3), {}
    for episodes in sorted(rng.sample(range(EPISODES - 5), 5)):
        collection = start(out)
        wait_for(lambda least=episodes: len(finished(out)) >= least, collection)
        time.sleep(rng.uniform(0, 0.02))
        die(collection)
        assert kept.items() <= finished(out).items()
        kept = finished(out)

    assert len(kept) >= 20
    check_resumed(out, kept, whole)


def test_killed_alone_it_takes_its_workers_with_it(tmp_path, whole):
    out = tmp_path / "data"
    collection = start(out)
    wait_for(lambda: len(finished(out)) >= 10, collection)
    workers = workers_of(collection)
    collection.kill()
    collection.communicate()

    assert len(workers) == 2
    until_s = time.monotonic() + 30
    while any(Path(f"/proc/{one}/cmdline").exists() for one in workers):
        assert time.monotonic() < until_s, "a worker stayed behind"
        time.sleep(0.01)
    check_resumed(out, finished(out), whole)


def test_a_killed_worker_ends_it_with_a_word(tmp_path, whole):
    out = tmp_path / "data"
    collection = start(out)
    wait_for(lambda: len(finished(out)) >= 10, collection)
    os.kill(workers_of(collection)[0], signal.SIGKILL)
    complaint = collection.communicate(timeout=60)[1]

    assert collection.returncode == 1
    assert "the worker was killed by signal 9; was memory short?" in complaint
    assert "Traceback" not in complaint
    check_resumed(out, finished(out), whole)


def test_killed_while_it_writes_the_dataset(tmp_path, whole):
    out = tmp_path / "data"
    collection = start(out)
    wait_for(lambda: (out / "data").exists(), collection)
    die(collection)

    assert not (out / "meta/info.json").exists(), "it was through before it could be killed"
    assert len(finished(out)) == EPISODES
    check_resumed(out, finished(out), whole)
