"""Tests for data/arrays.py; what keeps and fills folders is tested by test_cache.py."""

import sys

import numpy as np
import pytest
from resident import mapped_bytes

from tinyvla_gym.data.arrays import Layout, let_go, open_arrays, taken

BYTES = 2**25


def fill(arrays):
    numbers = arrays["numbers"]
    numbers[: BYTES // 2] = 1
    let_go(numbers)
    numbers[BYTES // 2 :] = 2
    let_go(numbers)


@pytest.fixture
def numbers(tmp_path):
    layouts = {"numbers": Layout(np.dtype(np.uint8), (BYTES,))}
    return open_arrays(tmp_path / "kept", "fingerprint", layouts, fill)["numbers"]


def test_what_was_let_go_while_it_was_written_is_on_the_disk(numbers):
    assert int(numbers.sum()) == 3 * BYTES // 2


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells of a process")
def test_what_is_let_go_no_longer_counts_as_the_process_own(numbers):
    before = mapped_bytes()
    numbers.sum()
    assert mapped_bytes() - before > 0.9 * BYTES

    let_go(numbers)

    assert mapped_bytes() - before < 0.1 * BYTES
    assert int(numbers.sum()) == 3 * BYTES // 2


@pytest.mark.parametrize("rows", [slice(1, 3), np.array([2, 1])])
def test_what_is_taken_is_a_copy(numbers, rows):
    got = taken(numbers, rows)

    assert got.tolist() == [1, 1]
    assert got.flags.writeable
    assert type(got) is np.ndarray
    assert not np.shares_memory(got, numbers)


def test_an_array_that_is_not_mapped_is_left_alone():
    plain = np.ones(4)
    let_go(plain)
    let_go(plain[1:])
    assert plain.sum() == 4
