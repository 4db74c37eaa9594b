"""Tests for evaluation/suites.py."""

import gymnasium as gym
import pytest

from tinyvla_gym.envs.registration import METAWORLD_TASKS, REACH_ID
from tinyvla_gym.errors import UnknownNameError
from tinyvla_gym.evaluation.suites import TIERS, suite_tasks

SUITES = ("mt10", "mt50", "demo", "opposites", "reach", *TIERS)


def test_the_tiers_have_their_published_sizes_and_cover_every_task_once() -> None:
    sizes = {tier: len(tasks) for tier, tasks in TIERS.items()}
    listed = [task for tasks in TIERS.values() for task in tasks]

    assert sizes == {"easy": 28, "medium": 11, "hard": 6, "very_hard": 5}
    assert sorted(listed) == sorted(METAWORLD_TASKS)


@pytest.mark.parametrize(("suite", "size"), [("mt10", 10), ("mt50", 50), ("demo", 6), ("hard", 6)])
def test_a_suite_has_that_many_tasks(suite, size) -> None:
    assert len(suite_tasks(suite)) == size


def test_mt10_is_metaworlds_own() -> None:
    from metaworld.env_dict import MT10_V3

    wanted = {name.removesuffix("-v3") for name in MT10_V3}

    assert set(suite_tasks("mt10")) == wanted


@pytest.mark.parametrize("suite", SUITES)
def test_every_id_of_a_suite_is_registered(suite) -> None:
    assert all(env_id in gym.registry for env_id in suite_tasks(suite).values())


def test_one_task_is_a_suite_too() -> None:
    assert suite_tasks("mt1:drawer-open") == {"drawer-open": "TinyVLA/MetaWorld-drawer-open-v3"}


def test_the_toy_is_a_suite() -> None:
    assert list(suite_tasks("reach").values()) == [REACH_ID]


@pytest.mark.parametrize(
    ("suite", "guess"),
    [("mt100", "mt10"), ("mt1:drawer-opne", "drawer-open"), ("very-hard", "very_hard")],
)
def test_a_misspelt_suite_is_guessed(suite, guess) -> None:
    with pytest.raises(UnknownNameError, match=f"Did you mean '{guess}'"):
        suite_tasks(suite)


def test_an_empty_task_is_no_suite() -> None:
    with pytest.raises(UnknownNameError, match="no MetaWorld task ''"):
        suite_tasks("mt1:")
