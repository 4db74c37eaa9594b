"""The folder of a training run: what it was begun with, and whether it may be gone on with."""

import json
from pathlib import Path
from typing import Any

from tinyvla_gym.data.atomic import check_writable, save_json
from tinyvla_gym.errors import CheckpointError, ConfigError, OutputError
from tinyvla_gym.training.origin import placeless

STATE, SETTINGS = "state.safetensors", "train.json"

FREE = (
    *("parts", "processes", "checkpointing", "cache_features", "shard", "log_every", "save_every"),
    "keep_adapters",
)
"""Settings that a run may be resumed with otherwise: what is learnt does not depend on them."""


def check_run(run: Path, settings: dict[str, Any], *, resume: bool) -> None:
    """Makes sure that a run may be begun in a folder, or gone on with; nothing is written yet.

    Args:
        run: The folder.
        settings: All that the run depends on, as JSON can say it.
        resume: Whether it may hold a run.

    Raises:
        OutputError: If the folder is in use or cannot be written.
        ConfigError: If the run that is resumed had other settings, save those in ``FREE``.
        CheckpointError: If what the folder says of its run is damaged.
    """
    check_free(run, resume=resume)
    path = run / SETTINGS
    check_writable(path)
    if not path.exists():
        return
    try:
        before = _comparable(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise OutputError(run, str(error)) from error
    except (AttributeError, TypeError, ValueError) as error:
        raise CheckpointError(run, f"{SETTINGS} is damaged: {error}") from error
    now = _comparable(json.loads(json.dumps(settings)))
    changed = [
        name for name in now if name not in FREE and before.get(name, now[name]) != now[name]
    ]
    if changed:
        raise ConfigError(
            f"The run in {run} was begun with other settings: {', '.join(sorted(changed))}."
        )


def check_free(run: Path, *, resume: bool) -> None:
    """Makes sure that no other run is in a folder, before anything is known about the new one.

    Raises:
        OutputError: If there is one, and ``resume`` is not wanted.
    """
    if not resume and (run / SETTINGS).exists():
        raise OutputError(run, "it holds a run; pass --resume or choose another folder.")


def begin_run(run: Path, settings: dict[str, Any]) -> None:
    """Writes down what a run begins with, unless it has begun already.

    Raises:
        OutputError: If the folder cannot be written.
    """
    if not (run / SETTINGS).exists():
        save_json(run / SETTINGS, settings)


def _comparable(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings without places; a digest stands for what lies there."""
    model = settings.get("model")
    return {**settings, "model": placeless(model)} if isinstance(model, dict) else settings
