"""Memory that processes share and that has no name in any file system: nothing is left behind."""

import mmap
import os
from multiprocessing import reduction
from tempfile import TemporaryFile
from typing import Any


class NamelessMemory:
    """It travels to a spawned process as an argument of its ``Process``, and is the same there."""

    def __init__(self) -> None:
        """Makes it, without any room yet."""
        self._file = _nameless_file()

    def reserve(self, size: int) -> None:
        """Makes room.

        Args:
            size: Bytes.

        Raises:
            OSError: If the machine does not have so much memory.
        """
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._file, 0, size)  # an error here, not a crash while writing
        else:
            os.truncate(self._file, size)

    def map(self) -> mmap.mmap:
        """Maps all of it; it lives for as long as something looks at it."""
        return mmap.mmap(self._file, os.fstat(self._file).st_size)

    def close(self) -> None:
        """Closes the file, after which it can neither travel nor be mapped; may be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __getstate__(self) -> dict[str, Any]:
        return {"file": reduction.DupFd(self._file)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._file = state["file"].detach()


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):  # Linux: not limited by the size of /dev/shm, never on a disk
        return os.memfd_create("tinyvla-gym")
    with TemporaryFile() as file:
        return os.dup(file.fileno())
