"""From a name, a folder or a hub id to a policy."""

import importlib
from pathlib import Path

from tinyvla_gym.errors import CheckpointError, MissingExtraError, UnknownNameError
from tinyvla_gym.policies.checkpoint import read_config
from tinyvla_gym.policies.hub import find_folder
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
    if kind == "backbone":
        raise CheckpointError(
            folder, "it holds a backbone without a head: train a policy on it, --start FOLDER."
        )
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
    if "/" not in where and not Path(where).is_dir():
        if where not in bundled():
            raise UnknownNameError("bundled policy", where, bundled())
        return BUNDLED / where
    return find_folder(where)
