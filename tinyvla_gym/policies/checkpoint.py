"""Checkpoint folders: ``config.json`` says everything, ``model.safetensors`` holds the weights.

Nothing is guessed from a folder's name, nothing is unpickled, and a folder is complete or absent.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tinyvla_gym.errors import CheckpointError, MissingExtraError, OutputError

FORMAT_VERSION = 1
CONFIG, WEIGHTS, GRAPH = "config.json", "model.safetensors", "model.onnx"
VOCABULARY, CARD = "tokenizer.json", "README.md"
AGAIN = "fetch or copy it again."
"""What helps where a file has suffered on its way."""
OURS = {CONFIG, WEIGHTS, GRAPH, VOCABULARY, CARD}
"""All that a checkpoint's folder may hold."""


def read_config(folder: Path) -> dict[str, Any]:
    """Reads a checkpoint's ``config.json``.

    Raises:
        CheckpointError: If it is missing, cut short, or of a later format.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise CheckpointError(folder, f"it has no {CONFIG}.")
    try:
        config = json.loads(path.read_text())
    except ValueError as error:
        raise CheckpointError(folder, f"{CONFIG} is damaged: {error}") from error
    version = config.get("format_version") if isinstance(config, dict) else None
    if version not in range(1, FORMAT_VERSION + 1):
        raise CheckpointError(
            folder, f"format version {version} is not one of 1 to {FORMAT_VERSION}; update us."
        )
    return config


def fingerprint(folder: Path) -> str:
    """Twelve hexadecimal digits that change with every weight, statistic and setting.

    Raises:
        CheckpointError: If the folder is no checkpoint; see ``read_config``.
    """
    read_config(folder)
    digest = hashlib.sha256()
    # A card changes nothing, and a graph beside weights is made from them.
    aside = {CARD, GRAPH} if (folder / WEIGHTS).is_file() else {CARD}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name not in aside:
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def weights_digest(folder: Path) -> str:
    """The sha256 of a checkpoint's weights, by which a graph or a policy knows what it needs."""
    with (folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_folder(folder: Path, *, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads a checkpoint.

    Args:
        folder: What ``write_folder`` wrote.
        kind: The kind of policy that is wanted.

    Returns:
        The config, and the weights as torch tensors by name.

    Raises:
        CheckpointError: If a file is missing or cut short, or the kind is another.
    """
    config = read_config(folder)
    if config.get("kind") != kind:
        raise CheckpointError(folder, f"it holds a {config.get('kind')!r} policy, not {kind!r}.")
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise MissingExtraError("Reading a checkpoint", "tinyvla") from error
    path = folder / WEIGHTS
    if not path.is_file():
        raise CheckpointError(folder, f"it has no {WEIGHTS}; {AGAIN}")
    try:
        return config, load_file(path)
    except SafetensorError as error:
        raise CheckpointError(
            folder, f"{WEIGHTS} is damaged or cut short, {AGAIN} ({error})"
        ) from error


def write_folder(
    folder: Path,
    config: Mapping[str, Any],
    weights: Mapping[str, Any],
    texts: Mapping[str, str] | None = None,
    finish: Callable[[Path], None] | None = None,
) -> None:
    """Writes a checkpoint beside its place and moves it there when it is whole.

    Args:
        folder: Where to; an older checkpoint there is replaced.
        config: For ``config.json``; the format version is added.
        weights: Torch tensors by name.
        texts: Further files of ``OURS`` by name, such as the vocabulary.
        finish: Adds to the folder when the rest is in it.

    Raises:
        OutputError: If the place cannot be written, or holds something else.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    def fill(fresh: Path) -> None:
        for name, words in (texts or {}).items():
            (fresh / name).write_text(words, encoding="utf-8")
        try:
            save_file(dict(weights), fresh / WEIGHTS)
        except SafetensorError as error:  # a full disk
            raise OutputError(folder, str(error)) from error
        (fresh / WEIGHTS).chmod(0o644)  # safetensors keeps it from others
        if finish is not None:
            finish(fresh)

    place_folder(folder, config, fill)


def place_folder(folder: Path, config: Mapping[str, Any], fill: Callable[[Path], None]) -> None:
    """Makes a checkpoint beside its place and moves it there when it is whole.

    Args:
        folder: Where to; an older checkpoint there is replaced.
        config: For ``config.json``; the format version is added.
        fill: Writes the other files into the folder that it is given.

    Raises:
        OutputError: If the place cannot be written, or holds something else.
    """
    folder = folder.resolve()
    fresh = folder.with_name(f".{folder.name}.new-{os.getpid()}")
    try:
        _check_place(folder)
        shutil.rmtree(fresh, ignore_errors=True)  # a killed process may have had our number
        fresh.mkdir(parents=True)
        text = json.dumps({"format_version": FORMAT_VERSION, **config}, indent=2)
        (fresh / CONFIG).write_text(text + "\n")
        fill(fresh)
        _move(fresh, folder)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(folder, str(error)) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _check_place(folder: Path) -> None:
    """Lets nothing be replaced but an empty folder, or a checkpoint and nothing else."""
    if folder.is_dir():
        inside = {path.name for path in folder.iterdir()}
        if inside and not (inside <= OURS and _is_checkpoint(folder)):
            raise OutputError(folder, "it holds more than a checkpoint; choose another place.")
    elif folder.exists():
        raise OutputError(folder, "it is a file; choose another place.")


def _is_checkpoint(folder: Path) -> bool:
    try:
        return "kind" in read_config(folder)
    except CheckpointError:
        return False


def _move(fresh: Path, folder: Path) -> None:
    """Renames twice, so that a crash loses neither the old checkpoint nor the new one."""
    old = fresh.with_name(f".{folder.name}.old-{os.getpid()}")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
