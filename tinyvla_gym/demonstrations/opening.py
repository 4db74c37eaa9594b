"""Opens the dataset that an env's demonstrations go into."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinyvla_gym.data.lerobot import DatasetWriter


def open_dataset(
    out: Path, world: Any, env_ids: Sequence[str], *, resume: bool, append: bool
) -> DatasetWriter:
    """Begins a dataset, or goes on with one; see ``DatasetWriter``.

    Args:
        out: The dataset's folder.
        world: An unwrapped env, whose interface and render profile all others share.
        env_ids: Gymnasium ids of all of them.
        resume: Go on with an interrupted collection.
        append: Add to a finished dataset.

    Raises:
        OutputError: If ``out`` is in use or cannot be written to.
    """
    profile = getattr(world, "profile", None)
    return DatasetWriter(
        out,
        world.interface,
        profile=profile.name if profile else "",
        profile_hash=profile.hash if profile else "",
        env_ids=env_ids,
        resume=resume,
        append=append,
    )
