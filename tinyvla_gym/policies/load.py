"""From a name, a folder or a hub id to a policy."""

import importlib
from pathlib import Path
from typing import Any

from tinyvla_gym.errors import CheckpointError, MissingExtraError, UnknownNameError
from tinyvla_gym.policies.checkpoint import GRAPH, read_config
from tinyvla_gym.policies.hub import find_folder
from tinyvla_gym.policies.policy import Policy

BUNDLED = Path(__file__).parent / "bundled"

KINDS = {
    "tinyvla": "tinyvla_gym.policies.tinyvla.policy:TinyVLAPolicy",
    "tinyvla-onnx": "tinyvla_gym.policies.onnx.policy:OnnxPolicy",
}
"""A checkpoint's ``kind`` -> the class that reads it, as ``module:Class``."""
AS_GRAPH = "onnx:"
"""Before a name, it asks for the graph even where torch is installed."""


def load_policy(where: str | Path) -> Policy:
    """Loads a policy.

    Args:
        where: Without a slash a bundled policy's name (``"nano"``); a path that begins with
            ``.`` or ``/`` or exists is a checkpoint folder; ``owner/name`` is a hub id. A
            checkpoint with a graph in it is read with torch where that is installed; where it is
            not, or after ``onnx:`` (``"onnx:nano"``), ONNX Runtime runs the graph.

    Raises:
        UnknownNameError: If no bundled policy has that name.
        CheckpointError: If the checkpoint is missing, cut short, or of another version.
        MissingExtraError: If the policy needs torch, and neither it nor a graph is there.
    """
    folder = checkpoint_folder(str(where))
    kind = read_config(folder).get("kind")
    if kind == "backbone":
        raise CheckpointError(
            folder, "it holds a backbone without a head: train a policy on it, --start FOLDER."
        )
    if not isinstance(kind, str) or kind not in KINDS:
        raise CheckpointError(folder, f"it holds a policy of unknown kind {kind!r}.")
    return _reader(kind, folder, as_graph=str(where).startswith(AS_GRAPH)).from_pretrained(folder)


def _reader(kind: str, folder: Path, *, as_graph: bool) -> Any:
    """The class that reads a folder: the kind's own, or the one that runs the graph in it."""
    try:
        return _find(KINDS["tinyvla-onnx" if as_graph else kind])
    except ModuleNotFoundError as error:
        if (folder / GRAPH).is_file():
            return _find(KINDS["tinyvla-onnx"])
        raise MissingExtraError(f"A {kind} policy", "tinyvla") from error


def _find(place: str) -> Any:
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)


def bundled() -> list[str]:
    """Names the policies that come with the package."""
    return sorted(folder.name for folder in BUNDLED.glob("*") if folder.is_dir())


def checkpoint_folder(where: str) -> Path:
    """Finds, or fetches from the hub, the folder that ``load_policy`` reads; see there."""
    where = where.removeprefix(AS_GRAPH)
    if "/" not in where and not Path(where).is_dir():
        if where not in bundled():
            raise UnknownNameError("bundled policy", where, bundled())
        return BUNDLED / where
    return find_folder(where)
