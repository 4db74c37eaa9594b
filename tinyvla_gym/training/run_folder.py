"""The folder of a training run: what it was begun with, and whether it may be gone on with."""

import json
import os
from pathlib import Path
from typing import Any

from tinyvla_gym.errors import CheckpointError, ConfigError, OutputError

STATE, SETTINGS = "state.safetensors", "train.json"

FREE = ("parts", "processes", "checkpointing", "cache_features", "shard", "log_every", "save_every")
"""Settings that a run may be resumed with otherwise: what is learnt does not depend on them."""


def open_run(run: Path, settings: dict[str, Any], *, resume: bool) -> None:
    """Begins a run in a folder, or goes on with the one in it.

    Args:
        run: The folder.
        settings: All that the run depends on, as JSON can say it.
        resume: Whether it may hold a run.

    Raises:
        OutputError: If the folder is in use or cannot be written.
        ConfigError: If the run that is resumed had other settings, save those in ``FREE``.
        CheckpointError: If what the folder says of its run is damaged.
    """
    settings = json.loads(json.dumps(settings))
    path = run / SETTINGS
    try:
        run.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            fresh = path.with_name(f".{SETTINGS}.new")
            fresh.write_text(json.dumps(settings, indent=2) + "\n")
            os.replace(fresh, path)
            return
        if not resume:
            raise OutputError(run, "it holds a run; pass --resume or choose another folder.")
        before = json.loads(path.read_text())
        changed = [
            name
            for name in settings
            if name not in FREE and before.get(name, settings[name]) != settings[name]
        ]
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(run, str(error)) from error
    except (AttributeError, ValueError) as error:
        raise CheckpointError(run, f"{SETTINGS} is damaged: {error}") from error
    if changed:
        raise ConfigError(
            f"The run in {run} was begun with other settings: {', '.join(sorted(changed))}."
        )
