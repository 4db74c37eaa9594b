"""Worker processes that die, hang or are left alone: nothing hangs, and nothing is left behind."""

import gc
import multiprocessing as mp
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fake_worlds import make_moody

from tinyvla_gym.envs.parallel import ParallelVectorEnv
from tinyvla_gym.errors import (
    UnknownNameError,
    WorkerDiedError,
    WorkersStoppedError,
    WorkerTimeoutError,
)

STILL = np.zeros((3, 4), np.float32)
TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def enough_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def three_envs(**settings):
    """Env 0 in one worker, envs 1 and 2 in another."""
    envs = ParallelVectorEnv(make_moody, 3, workers=2, **settings)
    envs.reset(seed=0)
    return envs


def file_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def alive(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("deed", "complaint"),
    [
        ("exit", r"Worker 1 \(process \d+\), with env 1, 2 in it, ended with exit code 3"),
        ("be killed", r"with env 1, 2 in it, was killed by signal 9\. Was memory short\?"),
    ],
)
def test_a_worker_that_dies_is_named_with_its_envs(deed, complaint) -> None:
    envs = three_envs()
    envs.set_attr("deed", ["work", "work", deed])

    with pytest.raises(WorkerDiedError, match=complaint):
        envs.step(STILL)

    assert not mp.active_children()
    with pytest.raises(WorkersStoppedError, match="stopped because of this: WorkerDiedError"):
        envs.reset()
    envs.close()


def test_a_worker_killed_between_two_steps_is_noticed() -> None:
    envs = three_envs()
    os.kill(envs.call("process")[0], signal.SIGKILL)

    with pytest.raises(WorkerDiedError, match=r"Worker 0 .* env 0 in it, was killed by signal 9"):
        envs.step(STILL)

    assert not mp.active_children()


def test_a_worker_that_stops_answering_runs_into_the_time_limit() -> None:
    envs = three_envs(timeout_s=0.5)
    envs.set_attr("deed", ["be stopped", "work", "work"])
    began_s = time.monotonic()

    with pytest.raises(WorkerTimeoutError, match=r"env 0 in it, has not answered for 0\.5 s"):
        envs.step(STILL)

    assert time.monotonic() - began_s < 10
    assert not mp.active_children()


def test_what_an_env_raises_is_raised_with_a_note_and_the_workers_go_on() -> None:
    envs = three_envs()
    envs.set_attr("deed", ["work", "fail", "refuse"])

    with pytest.raises(ValueError, match=r"^the gripper fell off") as caught:
        envs.step(STILL)

    assert "In env 1, in worker 1 (process" in caught.value.__notes__[0]
    assert "in _fail" in caught.value.__notes__[0]
    envs.set_attr("deed", ["work", "work", "refuse"])
    with pytest.raises(UnknownNameError, match="Did you mean 'blue'"):
        envs.step(STILL)
    envs.set_attr("deed", "work")
    observation, _ = envs.reset(seed=3)
    assert observation in envs.observation_space
    envs.step(STILL)
    envs.close()


def test_a_death_is_told_with_the_last_error_before_it() -> None:
    envs = three_envs()
    envs.set_attr("deed", ["work", "work", "fail"])
    with pytest.raises(ValueError, match="the gripper fell off"):
        envs.step(STILL)
    envs.set_attr("deed", ["work", "work", "exit"])

    with pytest.raises(WorkerDiedError, match="last error in it was ValueError: the gripper fell"):
        envs.step(STILL)


def test_an_answer_that_cannot_travel_is_an_error_like_others() -> None:
    envs = three_envs()

    with pytest.raises((AttributeError, TypeError), match="pickle"):
        envs.call("unpicklable")

    assert envs.step(STILL)[0] in envs.observation_space
    envs.close()


def test_an_interrupt_in_the_parent_ends_the_workers() -> None:
    def interrupt(*_):
        raise KeyboardInterrupt

    envs = three_envs()
    envs.set_attr("deed", ["work", "sleep", "work"])
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)

    with pytest.raises(KeyboardInterrupt):
        envs.step(STILL)

    signal.signal(signal.SIGALRM, before)
    assert not mp.active_children()
    with pytest.raises(WorkersStoppedError, match="because of this: KeyboardInterrupt"):
        envs.step(STILL)


@pytest.mark.parametrize("end", ["close", "forget"])
def test_nothing_is_left_behind(end) -> None:
    three_envs().close()  # multiprocessing's own helper process has started by now
    gc.collect()
    files, shared = file_descriptors(), sorted(os.listdir("/dev/shm"))
    envs = three_envs()
    processes = set(envs.call("process"))
    assert sorted(os.listdir("/dev/shm")) == shared

    if end == "close":
        envs.close()
        envs.close()
        with pytest.raises(WorkersStoppedError, match="because it was closed"):
            envs.step(STILL)
    del envs
    gc.collect()

    assert not any(alive(process) for process in processes)
    assert not mp.active_children()
    assert file_descriptors() == files


ENDS = {
    "an exception": "raise ValueError",
    "an interrupt": "os.kill(os.getpid(), signal.SIGINT)",
    "a kill": "os.kill(os.getpid(), signal.SIGKILL)",
    "a stopped worker": "os.kill(envs.call('process')[0], signal.SIGSTOP)",
}
SCRIPT = """
import os, signal
from fake_worlds import make_moody
from tinyvla_gym.envs.parallel import ParallelVectorEnv

if __name__ == "__main__":
    envs = ParallelVectorEnv(make_moody, 2, workers=2)
    print(*envs.call("process"), flush=True)
    {end}
"""


def run(script: str, tmp_path: Path) -> subprocess.CompletedProcess:
    path = tmp_path / "script.py"
    path.write_text(script)
    places = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    return subprocess.run(
        [sys.executable, "-W", "ignore", str(path)],
        env={**os.environ, "PYTHONPATH": places},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_workers_end_with_their_parent_however_it_ends(end, tmp_path: Path) -> None:
    done = run(SCRIPT.format(end=end), tmp_path)

    processes = [int(process) for process in done.stdout.split()]
    assert len(processes) == 2, done.stderr
    until_s = time.monotonic() + 20
    while any(alive(process) for process in processes) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert not any(alive(process) for process in processes)


def test_a_script_without_its_main_guard_is_told_so(tmp_path: Path) -> None:
    script = SCRIPT.format(end="").replace('if __name__ == "__main__":', "if True:")

    done = run(script, tmp_path)

    assert done.returncode == 1
    assert "must start work below `if __name__ == '__main__':`" in done.stderr
