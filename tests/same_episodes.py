"""Whether two episodes are one and the same."""

import numpy as np

from tinyvla_gym.data.episode import Episode


def assert_same(one: Episode, other: Episode) -> None:
    """Everything is equal, bit by bit."""
    for name in ("state", "action", "sent_action", "reward", "success"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
    for name in ("instruction", "seed", "task", "source"):
        assert getattr(one, name) == getattr(other, name)
    assert one.images.keys() == other.images.keys()
    for camera, images in one.images.items():
        np.testing.assert_array_equal(images, other.images[camera])
