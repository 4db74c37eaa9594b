"""One small dataset of TinyVLA/Reach-v0, collected once and shared by all training tests."""

from dataclasses import replace

import pytest
import torch

import tinyvla_gym  # noqa: F401 (registers the ids)
from tinyvla_gym.data.cache import open_cache
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.data.places import ROOT_VARIABLE
from tinyvla_gym.demonstrations import Plan, collect
from tinyvla_gym.envs.registration import REACH_ID
from tinyvla_gym.policies.policy import PolicySpec
from tinyvla_gym.training.loop import train
from tinyvla_gym.training.presets import preset

EPISODES = 12


@pytest.fixture(scope="session")
def reach_data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reach") / "data"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ROOT_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        collect([REACH_ID], folder, Plan(episodes=EPISODES, horizon=60, linger=2))
        yield folder


@pytest.fixture(scope="session")
def reach_frames(reach_data):
    return open_cache(reach_data)


@pytest.fixture(scope="session")
def reach_spec(reach_data):
    dataset, model = Dataset(reach_data), preset("tiny").model
    return PolicySpec(
        name="tiny",
        interface=dataset.interface,
        profile=dataset.profile,
        horizon=model.horizon,
        execute=model.execute,
        noise_shape=(model.horizon, len(dataset.interface.action)),
    )


@pytest.fixture(scope="session")
def settings():
    """Twelve steps of the tiny preset: a second or so."""
    return replace(
        preset("tiny"), steps=12, warmup_steps=2, batch_size=8, log_every=2, save_every=4
    )


@pytest.fixture(scope="session")
def finished(reach_frames, reach_spec, settings, tmp_path_factory):
    """A run that nothing has disturbed; to be looked at only."""
    run = tmp_path_factory.mktemp("finished") / "run"
    train(reach_frames, reach_spec, settings, run)
    return run


@pytest.fixture(autouse=True)
def _leave_torch_as_it_was():
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        yield
    torch.set_num_threads(threads)
