"""What lies beside the weights in other people's folders: settings, colours, a vocabulary."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyvla_gym.errors import CheckpointError
from tinyvla_gym.policies.checkpoint import AGAIN, VOCABULARY

PREPROCESSOR = "preprocessor_config.json"
BYTES = "bytes"
"""What is named instead of a vocabulary where there is none."""
TOGETHER = "Do its weights and config.json belong together? Fetch or copy both again."
"""What helps where they do not fit each other."""


def read_json(path: Path) -> dict[str, Any]:
    """Reads a file of settings.

    Raises:
        CheckpointError: If it is missing, cut short, or holds something else.
    """
    if not path.is_file():
        raise CheckpointError(path.parent, f"it has no {path.name}; {AGAIN}")
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(path.parent, f"{path.name} is damaged, {AGAIN} ({error})") from error
    if not isinstance(facts, dict):
        raise CheckpointError(path.parent, f"{path.name} is damaged: it is no table; {AGAIN}")
    return facts


def chosen(path: Path, facts: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Takes the settings that are wanted and there.

    Args:
        path: Where they were read, for the message.
        facts: All settings.
        names: Those that are wanted.

    Raises:
        CheckpointError: If one is null.
    """
    found = {name: facts[name] for name in names if name in facts}
    empty = [name for name, value in found.items() if value is None]
    if empty:
        raise CheckpointError(path.parent, f"{path.name} has null for {empty[0]!r}; {AGAIN}")
    return found


def colours(folder: Path) -> dict[str, tuple[float, ...]]:
    """Reads mean and deviation of each colour, as options of a backbone; what is said of them.

    Raises:
        CheckpointError: If they are damaged.
    """
    path = folder / PREPROCESSOR
    if not path.is_file():
        return {}
    said = read_json(path)
    found: dict[str, tuple[float, ...]] = {}
    for ours, theirs in (("mean", "image_mean"), ("std", "image_std")):
        if theirs in said:
            try:
                found[ours] = tuple(float(value) for value in said[theirs])
            except (TypeError, ValueError) as error:
                raise CheckpointError(
                    folder, f"{path.name} has no three numbers for {theirs!r}; {AGAIN}"
                ) from error
    return found


def vocabulary_file(given: str | None, *places: Path) -> str:
    """Finds a vocabulary; empty where bytes are to be read.

    Args:
        given: A file, or ``bytes``; None to look for one.
        *places: Where to look.

    Raises:
        CheckpointError: If there is none.
    """
    if given is not None:
        return "" if given == BYTES else given
    for place in places:
        if (place / VOCABULARY).is_file():
            return str(place / VOCABULARY)
    raise CheckpointError(
        places[0],
        f"it has no {VOCABULARY}, without which sentences cannot be read. Copy it from the base, "
        f"or name one; {BYTES!r} reads bytes instead, for weights that have learned no words.",
    )
