"""A file beside a recorded episode: everything that a rig told at its own rate.

A first line of JSON says what the records are; then each record is one letter, T for a tick or E
for an event, and its bytes. Records are only ever appended, so that a process that dies leaves
all of them but, perhaps, half of the last one.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import OutputError, TinyVLAError
from tinyvla_gym.robots.body import Body
from tinyvla_gym.robots.rig_file import write_rig
from tinyvla_gym.robots.rows import EVENT
from tinyvla_gym.robots.spec import RigSpec

_FORMAT = 1


class NativeFileError(TinyVLAError, ValueError):
    """A file that is none of ours."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} is no recording of a rig at its own rate: {problem}")


class NativeFile:
    """Writes what a rig tells, from now on."""

    def __init__(self, path: Path, rig: RigSpec, body: Body, *, seed: int) -> None:
        """Begins a file.

        Args:
            path: Where; must not exist.
            rig: The facts, which are written into the file.
            body: Whose ticks and events are kept.
            seed: The episode's seed, to find the episode again.

        Raises:
            OutputError: If it cannot be written.
        """
        self._body = body
        self._tick, self._event = body.ticks.written, body.events.written
        self.lost_ticks = 0
        header = {
            "format_version": _FORMAT,
            "seed": seed,
            "rig": write_rig(rig),
            "tick": _described(body.ticks.row),
            "event": _described(EVENT),
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
            os.write(self._file, json.dumps(header).encode() + b"\n")
        except OSError as error:
            raise OutputError(path, f"{error.strerror}.") from error

    def keep(self) -> None:
        """Appends what was told since the last time; call it within five seconds."""
        ticks, end = self._body.ticks.since(self._tick)
        self.lost_ticks += end - self._tick - len(ticks)
        self._tick = end
        events, self._event = self._body.events.since(self._event)
        records = [b"T" + row.tobytes() for row in ticks] + [b"E" + row.tobytes() for row in events]
        if records:
            os.write(self._file, b"".join(records))

    def close(self) -> None:
        """Keeps the rest, and closes the file."""
        self.keep()
        os.close(self._file)


def read_native(path: Path) -> tuple[dict[str, Any], NDArray[Any], NDArray[Any]]:
    """Reads a file, also one whose writer died.

    Returns:
        What its first line says, the ticks, shape (T,), and the events, shape (E,), with the
        fields of ``rows.tick_row`` and ``rows.EVENT``.

    Raises:
        NativeFileError: If it is none of ours.
    """
    first, _, records = path.read_bytes().partition(b"\n")
    try:
        header = json.loads(first)
        version = header["format_version"]
        kinds = {b"T": _type(header["tick"]), b"E": _type(header["event"])}
    except (ValueError, KeyError, TypeError) as error:
        raise NativeFileError(path, "its first line does not say what it holds.") from error
    if version != _FORMAT:
        raise NativeFileError(path, f"its format is {version}, not {_FORMAT}.")
    found: dict[bytes, list[bytes]] = {kind: [] for kind in kinds}
    place = 0
    while place < len(records):
        kind = records[place : place + 1]
        if kind not in kinds:
            raise NativeFileError(path, f"there is no record {kind!r}.")
        end = place + 1 + kinds[kind].itemsize
        if end > len(records):
            break  # the writer died here
        found[kind].append(records[place + 1 : end])
        place = end
    ticks, events = (np.frombuffer(b"".join(found[k]), kinds[k]) for k in (b"T", b"E"))
    return header, ticks, events


def _described(row: np.dtype[Any]) -> list[list[Any]]:
    """Name, kind and shape of every field."""
    fields = dict(row.fields or {})
    return [[name, fields[name][0].base.str, list(fields[name][0].shape)] for name in fields]


def _type(described: list[list[Any]]) -> np.dtype[Any]:
    return np.dtype([(name, kind, tuple(shape)) for name, kind, shape in described])
