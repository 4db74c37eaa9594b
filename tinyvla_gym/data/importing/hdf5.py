"""HDF5 files, opened so that one that is damaged is named; h5py is an extra."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyvla_gym.data.lerobot.damage import reading
from tinyvla_gym.errors import MissingExtraError

if TYPE_CHECKING:
    import h5py


def load_h5py(what: str) -> Any:
    """Returns the library.

    Args:
        what: Who needs it, for the message.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        import h5py
    except ModuleNotFoundError as problem:
        raise MissingExtraError(what, "formats") from problem
    return h5py


@contextmanager
def opened(path: Path, what: str) -> Iterator["h5py.File"]:
    """Yields an HDF5 file.

    Raises:
        DatasetError: If it is missing, damaged, or lacks what is looked up in it.
        MissingExtraError: If h5py is not installed.
    """
    h5py = load_h5py(what)
    with reading(path), h5py.File(path, "r") as file:
        yield file


def leaves(group: "h5py.Group") -> dict[str, "h5py.Dataset"]:
    """Every dataset in a group and its subgroups, by path."""
    h5py = load_h5py("Reading HDF5")
    found: dict[str, Any] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item

    group.visititems(note)
    return found
