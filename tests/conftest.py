"""Settings that every test shares."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # a busy machine is not a failure
settings.load_profile("unhurried")

ALONE = ("cli", "envs/rig", "robots")
"""Folders whose tests command arms in real time, and so want the machine for themselves."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what ``make test`` keeps for its second, unshared half."""
    here = Path(__file__).parent
    for item in items:
        if any(item.path.is_relative_to(here / folder) for folder in ALONE):
            item.add_marker(pytest.mark.alone)
