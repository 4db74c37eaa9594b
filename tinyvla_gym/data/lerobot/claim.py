"""One process at a time records into a folder, or mends it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinyvla_gym.data.atomic import writing
from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.errors import OutputError


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keeps other processes out of what is staged; the claim dies with its process.

    Two of them would stage their episodes under the same numbers, one over the other.

    Args:
        folder: The dataset's.

    Raises:
        OutputError: If another process records into it, or it cannot be written to.
    """
    path = folder / schema.STAGING / ".claim"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # no child process inherits it
    except BlockingIOError as problem:
        raise OutputError(
            folder, "another process is recording into it. Wait for it, or end it."
        ) from problem
