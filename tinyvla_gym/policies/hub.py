"""Where a checkpoint lies: a folder here, or a repository on the Hugging Face Hub."""

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tinyvla_gym.errors import CheckpointError, MissingExtraError, OutputError

WANTED = ["*.json", "*.safetensors", "*.onnx", "*.md"]


def find_folder(where: str | Path) -> Path:
    """Finds a checkpoint's folder, and fetches it if it is not on this machine.

    Args:
        where: A folder, or a hub id ``owner/name``. What begins with ``.``, ``/`` or ``~`` or has
            more than one slash is always a folder.

    Raises:
        CheckpointError: If there is no such folder, or the hub does not give it.
        MissingExtraError: If the hub's client is not installed.
    """
    text = str(where)
    if Path(where).is_dir():
        return Path(where)
    if isinstance(where, Path) or text.startswith((".", "/", "~")) or text.count("/") != 1:
        raise CheckpointError(where, "there is no such folder.")
    return _download(text)


@cache
def _download(hub_id: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtraError("Loading from the hub", "tinyvla") from error
    try:
        return Path(snapshot_download(hub_id, allow_patterns=WANTED))
    except Exception as error:  # the hub's client raises many kinds
        raise CheckpointError(
            hub_id,
            f"it cannot be fetched from the hub: {_first_line(error)}\n"
            "There is no such folder here either. Is the network up, and the name right?",
        ) from error


def upload(hub_id: str, write: Callable[[Path], None], *, private: bool = False) -> str:
    """Puts a folder on the hub.

    Args:
        hub_id: ``owner/name``; created if there is none.
        write: Writes the folder that is sent.
        private: Hides a repository that is created.

    Returns:
        Where it can be seen.

    Raises:
        OutputError: If the hub does not take it.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise MissingExtraError("Sending to the hub", "tinyvla") from error
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "checkpoint"
        write(folder)
        try:
            api = HfApi()
            page = api.create_repo(hub_id, private=private, exist_ok=True)
            api.upload_folder(repo_id=hub_id, folder_path=folder)
        except Exception as error:  # the hub's client raises many kinds
            raise OutputError(
                f"the hub as {hub_id}",
                f"{_first_line(error)}\nIs the network up? Have you logged in: hf auth login?",
            ) from error
    return str(page)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
