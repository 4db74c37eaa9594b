"""Tests for training/logbook.py: logs that cannot be read or written."""

import shutil

import pytest

from tinyvla_gym.errors import CheckpointError, OutputError
from tinyvla_gym.training.logbook import Logbook, last_line


@pytest.fixture
def run(finished, tmp_path):
    """A copy of the finished run's log."""
    shutil.copy(finished / "log.csv", tmp_path)
    return tmp_path


def open_log(run, settings):
    Logbook(run, settings.steps, settings, lambda _line: None).close()


@pytest.mark.parametrize("line", ["four,1,1,1,1,1", "4,1,1,one,1,1", ",,,,,"])
def test_a_garbled_line_is_named_with_the_remedy(line, run, settings) -> None:
    lines = (run / "log.csv").read_text().splitlines()
    (run / "log.csv").write_text("\n".join([*lines[:2], line, *lines[3:]]))

    with pytest.raises(CheckpointError, match=rf"log\.csv .*line 3 is garbled: {line}\. Mend it"):
        open_log(run, settings)

    (run / "log.csv").unlink()
    open_log(run, settings)


def test_a_log_that_cannot_be_read_is_named(run, settings) -> None:
    (run / "log.csv").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(CheckpointError, match=r"log\.csv .*can't decode.* Mend it, or delete it"):
        open_log(run, settings)

    (run / "log.csv").unlink()
    (run / "log.csv").mkdir()
    with pytest.raises(CheckpointError, match=r"log\.csv .*Is a directory.* Mend it, or delete it"):
        open_log(run, settings)


def test_a_place_that_cannot_be_written_is_named(run, settings) -> None:
    (run / "tensorboard").write_text("")

    with pytest.raises(OutputError, match=r"Cannot write to .*tensorboard: File exists"):
        open_log(run, settings)


def test_a_log_that_vanishes_meanwhile_is_named(run, settings) -> None:
    log = Logbook(run, 10, settings, lambda _line: None)
    (run / "log.csv").unlink()
    (run / "log.csv").mkdir()

    with pytest.raises(OutputError, match=r"Cannot write to .*log\.csv: Is a directory"):
        log.note(12, 1.0, 1.0, 1.0, 0.0, 1.0)

    log.close()


def test_the_last_line_is_the_one_that_was_told(run, tmp_path, settings) -> None:
    told = []
    log = Logbook(run, 10, settings, told.append)

    log.note(12, 0.1, 1 / 3, 1e-5, 0.01, 0.7)

    log.close()
    assert last_line(run) == told[-1]
    assert last_line(tmp_path / "nowhere") is None
