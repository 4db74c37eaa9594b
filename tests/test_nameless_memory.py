"""Tests for nameless_memory.py."""

import multiprocessing as mp

from tinyvla_gym.nameless_memory import NamelessMemory


def write(memory: NamelessMemory) -> None:
    """What another process does with it."""
    memory.map()[:5] = b"there"


def test_what_a_spawned_process_writes_is_seen_here() -> None:
    memory = NamelessMemory()
    memory.reserve(16)
    here = memory.map()

    process = mp.get_context("spawn").Process(target=write, args=(memory,))
    process.start()
    process.join(60)

    assert process.exitcode == 0
    assert here[:] == b"there" + bytes(11)


def test_a_mapping_outlives_the_file_which_may_be_closed_twice() -> None:
    memory = NamelessMemory()
    memory.reserve(4)
    here = memory.map()
    memory.close()
    memory.close()

    here[:] = b"kept"

    assert here[:] == b"kept"
