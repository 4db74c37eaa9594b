"""Both ways with the real LeRobot, where `make peers` has installed it."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tinyvla_gym.data.importing.guess import guess_mapping
from tinyvla_gym.data.importing.open import open_source
from tinyvla_gym.data.lerobot import Dataset

PEER = Path(__file__).parents[3] / ".venv-peers/lerobot/bin/python"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PEER.exists(), reason="the real LeRobot is not installed: make peers"),
]

READ = """
import sys
import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset
dataset = LeRobotDataset("x/y", root=sys.argv[1], video_backend="pyav")
items = [dataset[index] for index in range(len(dataset))]
arrays = {key: np.stack([np.asarray(one[key]) for one in items]) for key in items[0]}
np.savez(sys.argv[2], **arrays, q99=dataset.meta.stats["action"]["q99"])
"""
WRITE = """
import sys
import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset
picture = {"shape": (64, 96, 3), "names": ["height", "width", "channels"]}
features = {
    "observation.images.film": {"dtype": "video", **picture},
    "observation.images.still": {"dtype": "image", **picture},
    "observation.state": {"dtype": "float32", "shape": (3,), "names": ["x", "y", "z"]},
    "action": {"dtype": "float32", "shape": (2,), "names": None},
}
dataset = LeRobotDataset.create("x/y", fps=10, features=features, root=sys.argv[1])
kept = {"film": [], "still": [], "state": [], "action": []}
rng = np.random.default_rng(0)
y, x = np.mgrid[0:64, 0:96]
for episode in range(3):
    for tick in range(5 + episode):
        image = np.stack([x + 5 * tick, y + 40 * episode, x + y], -1).astype(np.uint8)
        state, action = rng.normal(size=3).astype("f"), rng.normal(size=2).astype("f")
        dataset.add_frame({"observation.images.film": image, "observation.images.still": image,
                           "observation.state": state, "action": action,
                           "task": f"task {episode % 2}"})
        for key, value in zip(kept, (image, image, state, action)):
            kept[key].append(value)
    dataset.save_episode()
dataset.finalize()
np.savez(sys.argv[2], **{key: np.stack(values) for key, values in kept.items()})
"""


def peer(program, *arguments):
    command = [str(PEER), "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_real_lerobot_opens_ours_with_equal_values(record, film_interface, tmp_path):
    folder = record("data", range(3), shown=film_interface)
    record("data", range(3, 5), shown=film_interface, append=True)
    dataset = Dataset(folder)
    episodes = [dataset.episode(index) for index in range(5)]

    peer(READ, folder, tmp_path / "found.npz")

    with np.load(tmp_path / "found.npz") as found:
        for key, name in (("observation.state", "state"), ("action", "action")):
            joined = np.concatenate([getattr(one, name) for one in episodes])
            np.testing.assert_array_equal(found[key], joined)
        near = np.concatenate([one.images["near"] for one in episodes])
        np.testing.assert_allclose(
            found["observation.images.near"].transpose(0, 2, 3, 1) * 255, near, atol=1e-3
        )
        wide = np.concatenate([one.images["wide"] for one in episodes])
        film = found["observation.images.wide"].transpose(0, 2, 3, 1) * 255
        assert np.abs(film - wide).mean() < 1
        told = [one.instruction for one in episodes for _ in range(len(one))]
        assert found["task"].tolist() == told
        np.testing.assert_allclose(found["q99"], dataset.statistics["action"].q99)


def test_ours_opens_what_the_real_lerobot_wrote_with_equal_values(tmp_path):
    peer(WRITE, tmp_path / "theirs", tmp_path / "kept.npz")

    source = open_source(tmp_path / "theirs", "lerobot")
    mapping = guess_mapping(source)
    episodes = [mapping.episode(source.read(one, mapping.columns), one) for one in range(3)]

    assert [one.instruction for one in episodes] == ["task 0", "task 1", "task 0"]
    assert mapping.interface.state == ("x", "y", "z")
    with np.load(tmp_path / "kept.npz") as kept:
        for name in ("state", "action"):
            joined = np.concatenate([getattr(one, name) for one in episodes])
            np.testing.assert_array_equal(joined, kept[name])
        still = np.concatenate([one.images["still"] for one in episodes])
        np.testing.assert_array_equal(still, kept["still"])
        film = np.concatenate([one.images["film"] for one in episodes])
        assert np.abs(film - kept["film"].astype(float)).mean() < 6
