"""Where what can be made again is kept."""

import os
from pathlib import Path

ROOT_VARIABLE = "TINYVLA_CACHE"


def default_cache_root() -> Path:
    """Returns ``$TINYVLA_CACHE``, or else ``~/.cache/tinyvla_gym``."""
    return Path(os.environ.get(ROOT_VARIABLE) or Path.home() / ".cache/tinyvla_gym")
