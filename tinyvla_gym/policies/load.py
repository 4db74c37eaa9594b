"""From a name, a folder or a hub id to a policy."""

import importlib
from functools import cache
from pathlib import Path

from tinyvla_gym.errors import CheckpointError, MissingExtraError, UnknownNameError
from tinyvla_gym.policies.checkpoint import read_config
from tinyvla_gym.policies.policy import Policy

BUNDLED = Path(__file__).parent / "bundled"

KINDS = {
    "tinyvla": "tinyvla_gym.policies.tinyvla.policy:TinyVLAPolicy",
    "tinyvla-onnx": "tinyvla_gym.policies.onnx.policy:OnnxPolicy",
}
"""A checkpoint's ``kind`` -> the class that reads it, as ``module:Class``."""


def load_policy(where: str | Path) -> Policy:
    """Loads a policy.

    Args:
        where: Without a slash a bundled policy's name (``"nano"``); a path that begins with
            ``.`` or ``/`` or exists is a checkpoint folder; ``owner/name`` is a hub id.

    Raises:
        UnknownNameError: If no bundled policy has that name.
        CheckpointError: If the checkpoint is missing, cut short, or of another version.
        MissingExtraError: If the policy needs torch and it is not installed.
    """
    folder = checkpoint_folder(str(where))
    kind = read_config(folder).get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise CheckpointError(folder, f"it holds a policy of unknown kind {kind!r}.")
    module, name = KINDS[kind].split(":")
    try:
        reader = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"A {kind} policy", "tinyvla") from error
    return reader.from_pretrained(folder)


def bundled() -> list[str]:
    """Names the policies that come with the package."""
    return sorted(folder.name for folder in BUNDLED.glob("*") if folder.is_dir())


def checkpoint_folder(where: str) -> Path:
    """Finds, or fetches from the hub, the folder that ``load_policy`` reads; see there."""
    path = Path(where)
    if "/" not in where and not path.is_dir():
        if where not in bundled():
            raise UnknownNameError("bundled policy", where, bundled())
        return BUNDLED / where
    if path.is_dir():
        return path
    if where.startswith((".", "/", "~")) or where.count("/") > 1:
        raise CheckpointError(where, "there is no such folder.")
    return _download(where)


@cache
def _download(hub_id: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtraError("Loading from the hub", "tinyvla") from error
    try:
        return Path(
            snapshot_download(hub_id, allow_patterns=["*.json", "*.safetensors", "*.onnx", "*.md"])
        )
    except Exception as error:  # the hub's client raises many kinds
        raise CheckpointError(hub_id, f"it cannot be fetched from the hub: {error}") from error
