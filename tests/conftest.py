"""Settings that every test shares."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # a busy machine is not a failure
settings.load_profile("unhurried")

ALONE = (
    *("envs/rig", "robots/cameras", "robots/drivers", "robots/emulators", "robots/teleop"),
    *("robots/test_camera.py", "robots/test_process.py", "robots/test_readiness.py"),
    *("cli/test_cli_calibrate.py", "cli/test_cli_collect_by_hand.py", "cli/test_cli_console.py"),
    *("cli/test_cli_doctor_rig.py", "cli/test_cli_drive.py", "cli/test_cli_emulate.py"),
)
"""Tests that command arms, or wait for people, in real time, and so want the machine for
themselves: folders and files."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what ``make test`` keeps for its second, unshared half."""
    here = Path(__file__).parent
    gone = [place for place in ALONE if not (here / place).exists()]
    assert not gone, f"tests/conftest.py names tests that are no longer there: {gone}"
    for item in items:
        if any(item.path.is_relative_to(here / place) for place in ALONE):
            item.add_marker(pytest.mark.alone)
