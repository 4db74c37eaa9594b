from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tinyvla_gym.data.episode import Episode
from tinyvla_gym.data.lerobot import DatasetWriter
from tinyvla_gym.interface import Camera, Interface

EpisodeMaker = Callable[..., Episode]


@pytest.fixture
def interface() -> Interface:
    return make_interface(Camera(name="near", height=8, width=6))


@pytest.fixture
def film_interface() -> Interface:
    return make_interface(
        Camera(name="near", height=8, width=6), Camera(name="wide", height=168, width=176)
    )


def make_interface(*cameras: Camera) -> Interface:
    return Interface(
        cameras=cameras,
        state=("x_m", "y_m", "open_frac"),
        state_low=(-1.0,) * 3,
        state_high=(1.0,) * 3,
        action=("dx_m", "close_frac"),
        action_low=(-1.0,) * 2,
        action_high=(1.0,) * 2,
        control_hz=20.0,
        action_mode="native",
    )


@pytest.fixture
def make_episode(interface: Interface) -> EpisodeMaker:
    """Makes an episode that its seed decides; more facts may be given."""

    def make(seed: int, ticks: int = 5, cameras: Interface = interface, **facts) -> Episode:
        rng = np.random.default_rng(seed)
        images = {
            one.name: smooth_pictures(rng, ticks, one.height, one.width) for one in cameras.cameras
        }
        numbers = {
            name: rng.normal(size=(ticks, width)).astype(np.float32)
            for name, width in (("state", 3), ("action", 2), ("sent_action", 2))
        }
        known = {
            "images": images,
            **numbers,
            "reward": rng.normal(size=ticks).astype(np.float32),
            "success": np.arange(ticks) == ticks - 1,
            "instruction": "open the drawer",
            "seed": seed,
            "task": "drawer-open",
        }
        return Episode(**{**known, **facts})

    return make


def smooth_pictures(rng: np.random.Generator, ticks: int, height: int, width: int) -> np.ndarray:
    """Slopes of colour that move, so that lossy coding keeps them recognisable."""
    tick, y, x = np.mgrid[0:ticks, 0:height, 0:width]
    colours = [(x + 2 * tick) % 256, (y + int(rng.integers(50))) % 256, x * 0 + 10 * tick]
    return np.stack(colours, axis=-1).astype(np.uint8)


@pytest.fixture
def start_writer(tmp_path: Path, interface: Interface) -> Callable[..., DatasetWriter]:
    """Opens a writer on the test's own folder."""

    def start(*, shown: Interface = interface, **settings) -> DatasetWriter:
        known = {"profile": "fast-1", "profile_hash": "0123456789ab"}
        return DatasetWriter(tmp_path / "dataset", shown, **{**known, **settings})

    return start


@pytest.fixture
def dataset_folder(start_writer: Callable[..., DatasetWriter], make_episode: EpisodeMaker) -> Path:
    """Three short episodes of two tasks."""
    with start_writer() as writer:
        writer.add(make_episode(0, ticks=4))
        writer.add(make_episode(1, ticks=6, task="reach", instruction="reach the ball"))
        writer.add(make_episode(2, ticks=5))
    return writer.folder


@pytest.fixture
def record(tmp_path: Path, interface: Interface, make_episode: EpisodeMaker):
    """Records episodes of some seeds, 4 to 6 ticks long, into a named dataset."""

    def start(name: str, seeds, *, shown: Interface = interface, **settings) -> Path:
        known = {"profile": "fast-1", "profile_hash": "0123456789ab"}
        with DatasetWriter(tmp_path / name, shown, **{**known, **settings}) as writer:
            for seed in seeds:
                task = ("drawer-open", "reach")[seed % 2]
                words = ("open the drawer", "reach the ball")[seed % 2]
                facts = {"ticks": 4 + seed % 3, "task": task, "instruction": words}
                writer.add(make_episode(seed, cameras=shown, **facts))
        return writer.folder

    return start
