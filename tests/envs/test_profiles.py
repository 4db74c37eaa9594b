"""Tests for envs/profiles.py."""

from dataclasses import fields, replace

import pytest

from tinyvla_gym.envs.profiles import PROFILES, RenderProfile, profile_named
from tinyvla_gym.errors import UnknownNameError


def test_a_released_profile_never_changes() -> None:
    assert {name: profile.hash for name, profile in PROFILES.items()} == {
        "parity-1": "2403c89e4fad",
        "fast-1": "322f79bbd251",
        "fast-2": "3117c3165fe4",
        "shade-1": "39ffd51d16c9",
    }


@pytest.mark.parametrize("field", [field.name for field in fields(RenderProfile)])
def test_every_setting_changes_the_hash(field: str) -> None:
    profile = PROFILES["fast-1"]
    value = getattr(profile, field)
    other = value + "!" if isinstance(value, str) else not value if value in (0, 1) else value * 2

    assert replace(profile, **{field: other}).hash != profile.hash


def test_an_unknown_profile_is_named() -> None:
    with pytest.raises(UnknownNameError, match=r"no render profile 'fast-9'.*\n.*fast-1, fast-2"):
        profile_named("fast-9")
