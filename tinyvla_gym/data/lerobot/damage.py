"""What to say when a dataset's file is missing, cut short or not what it should be."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av.error
import pyarrow as pa

from tinyvla_gym.errors import ConfigError, DatasetError

_REMEDY = "Copy the dataset again from where it came, or record it anew."


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns whatever goes wrong while reading ``path`` into a ``DatasetError`` that names it."""
    try:
        yield
    except DatasetError:
        raise
    except FileNotFoundError as problem:
        raise DatasetError(path, f"the file is missing. {_REMEDY}") from problem
    except KeyError as problem:
        raise DatasetError(path, f"it lacks {problem}. {_REMEDY}") from problem
    except (OSError, ValueError, TypeError, ConfigError) as problem:
        raise DatasetError(path, f"the file is damaged ({problem}). {_REMEDY}") from problem
    except (pa.ArrowException, av.error.FFmpegError) as problem:
        raise DatasetError(path, f"the file is damaged ({problem}). {_REMEDY}") from problem


def damaged(path: Path, problem: str) -> DatasetError:
    """The error for a file whose content does not fit the rest of the dataset."""
    return DatasetError(path, f"{problem}. {_REMEDY}")


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        DatasetError: If the file is missing or is not one.
    """
    with reading(path):
        facts = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(facts, dict):
            raise ValueError(f"wanted a JSON object, got {type(facts).__name__}")
        return facts
