"""A dataset that an early release wrote: it loads forever."""

from pathlib import Path

import numpy as np
import pytest

from tinyvla_gym.data.lerobot import Dataset

FOLDER = Path(__file__).parent / "version1"


@pytest.fixture(scope="module")
def dataset():
    return Dataset(FOLDER)


def test_its_facts_are_read(dataset):
    assert dataset.lengths.tolist() == [3, 4]
    assert dataset.instructions == ("open the drawer", "reach the ball")
    assert dataset.tasks == ("drawer-open", "reach")
    assert dataset.seeds == (11, 12)
    assert dataset.sources == ("expert", "human")
    assert (dataset.profile, dataset.profile_hash) == ("fast-1", "0123456789ab")
    assert dataset.interface.control_hz == 20.0
    assert dataset.fingerprint().startswith("187a2842b62c")


def test_its_episodes_are_read(dataset):
    episode = dataset.episode(1)

    np.testing.assert_array_equal(episode.state, np.arange(12, dtype=np.float32).reshape(4, 3))
    np.testing.assert_array_equal(episode.action, np.arange(8, dtype=np.float32).reshape(4, 2))
    np.testing.assert_array_equal(episode.sent_action, episode.action + 0.5)
    assert episode.success.tolist() == [False, False, False, True]
    assert episode.images["near"][:, 2, 3].tolist() == [
        [3, 2, 0],
        [5, 2, 10],
        [7, 2, 20],
        [9, 2, 30],
    ]


def test_its_film_is_read(dataset):
    wide = dataset.episode(1).images["wide"]

    assert wide.shape == (4, 168, 176, 3)
    np.testing.assert_allclose(
        wide[:, 80, 100], [[100, 80, 0], [102, 80, 10], [104, 80, 20], [106, 80, 30]], atol=12
    )
