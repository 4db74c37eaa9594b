"""A child knows that its parent is dying before the kernel gives it to somebody else."""

import ctypes
import multiprocessing
import os
import platform
import threading
import time

import pytest

from tinyvla_gym.robots.parent import Parent

EXIT_OF_ONE_THREAD = {"x86_64": 60, "aarch64": 93}.get(platform.machine())
WAITS_S = 10.0


def watch_the_parent(pipe):
    number, parent = os.getppid(), Parent()
    pipe.send(parent.lives)
    deadline_s = time.monotonic() + WAITS_S
    while parent.lives and time.monotonic() < deadline_s:
        time.sleep(0.001)
    pipe.send((parent.lives, os.getppid() == number))


def half_die_with_a_child(pipe, may_die):
    """The first thread ends, and with it what the system knows of memory; another one stays."""
    multiprocessing.get_context("fork").Process(target=watch_the_parent, args=(pipe,)).start()
    assert may_die.poll(WAITS_S)
    threading.Thread(target=time.sleep, args=(2 * WAITS_S,)).start()
    ctypes.CDLL(None).syscall(EXIT_OF_ONE_THREAD, 0)


@pytest.mark.skipif(EXIT_OF_ONE_THREAD is None, reason="needs Linux on a known processor")
def test_a_child_notices_a_parent_that_has_only_begun_to_die() -> None:
    context = multiprocessing.get_context("fork")
    (ours, theirs), (may_die, death) = context.Pipe(), context.Pipe()
    parent = context.Process(target=half_die_with_a_child, args=(theirs, death))
    parent.start()
    try:
        assert ours.poll(WAITS_S)
        assert ours.recv(), "it lives"
        may_die.send(True)
        assert ours.poll(2 * WAITS_S)

        lives, is_still_its_child = ours.recv()

        assert is_still_its_child  # so the number of the parent says nothing yet
        assert not lives
    finally:
        parent.kill()
        parent.join()


def test_where_sizes_are_not_told_the_number_of_the_parent_decides(monkeypatch) -> None:
    def nowhere(*_):
        raise FileNotFoundError

    monkeypatch.setattr(os, "open", nowhere)
    parent = Parent()
    assert parent.lives

    monkeypatch.setattr(os, "getppid", lambda: 1)

    assert not parent.lives
