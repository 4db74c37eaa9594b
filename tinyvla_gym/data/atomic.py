"""Files that are there whole, or not at all, whatever interrupts the writing."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tinyvla_gym.errors import OutputError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yields a path to write to, which becomes ``path`` once the block has ended well.

    Raises:
        OutputError: If the place cannot be written to, or the disk is full.
    """
    partial = path.with_name(f".{path.name}.partial")
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            sync(partial)
            os.replace(partial, path)
            sync(path.parent)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns the operating system's complaints into an ``OutputError`` that names ``path``."""
    try:
        yield
    except OutputError:
        raise
    except OSError as problem:
        raise OutputError(path, f"{problem.strerror or problem}.") from problem


def check_writable(path: Path) -> None:
    """Makes sure, before long work, that a file can be written; what is there stays as it is.

    Raises:
        OutputError: If the place cannot be written to, or is a folder.
    """
    if path.is_dir():
        raise OutputError(path, "it is a folder; name a file.")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path.parent):
            pass


def save_json(path: Path, facts: Mapping[str, Any]) -> None:
    """Writes plain facts; see ``written_whole``."""
    with written_whole(path) as partial:
        partial.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def sync(path: Path) -> None:
    """Asks the disk to keep a file, or the names in a folder, through a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
