"""Minari both ways, robomimic in, and what is said where a library is missing."""

import json
import sys

import h5py
import minari
import numpy as np
import pytest

from tinyvla_gym.data.exporting.minari import export_minari
from tinyvla_gym.data.importing.guess import guess_mapping
from tinyvla_gym.data.importing.open import import_dataset, open_source
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.errors import ConfigError, DatasetError, MissingExtraError, OutputError
from tinyvla_gym.interface import Camera, Interface


@pytest.fixture
def large(record, interface):
    """Pictures above 32 px, which Minari would pack as JPEG unless told otherwise."""
    cameras = (Camera(name="near", height=40, width=36),)
    shown = Interface.from_dict({**interface.to_dict(), "cameras": [vars(one) for one in cameras]})
    return Dataset(record("before", range(3), shown=shown))


def test_minaris_own_loader_opens_an_export(large, tmp_path, monkeypatch):
    export_minari(large, tmp_path / "root", name="tinyvla/drawer-v0")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "root"))

    loaded = minari.load_dataset("tinyvla/drawer-v0")

    assert loaded.total_episodes == 3
    for index, found in enumerate(loaded.iterate_episodes()):
        episode = large.episode(index)
        np.testing.assert_array_equal(found.observations["image_near"][:-1], episode.images["near"])
        np.testing.assert_array_equal(found.observations["state"][:-1], episode.state)
        np.testing.assert_array_equal(found.actions, episode.action)
        np.testing.assert_allclose(found.rewards, episode.reward)
        assert found.observations["instruction"][0] == episode.instruction
        assert found.terminations.tolist() == episode.success.tolist()
        assert not found.truncations.any()


def test_what_minari_keeps_comes_back_bit_by_bit(large, tmp_path):
    from same_episodes import assert_same

    lost = export_minari(large, tmp_path / "root", name="drawer-v0")
    source = open_source(tmp_path / "root/drawer-v0", "minari")
    import_dataset(source, guess_mapping(source), tmp_path / "after")

    after = Dataset(tmp_path / "after")
    assert (after.interface, after.profile) == (large.interface, large.profile)
    for index in range(3):
        assert_same(after.episode(index), large.episode(index))
    assert len(lost) == 1


def test_a_minari_dataset_in_use_and_an_impossible_name_are_refused(large, tmp_path):
    export_minari(large, tmp_path, name="drawer-v0")

    with pytest.raises(OutputError, match="it exists"):
        export_minari(large, tmp_path, name="drawer-v0")
    with pytest.raises(ConfigError, match="does not take 'a b!'"):
        export_minari(large, tmp_path, name="a b!")
    with pytest.raises(DatasetError, match="nowhere"):
        open_source(tmp_path / "nowhere", "minari")


@pytest.fixture
def demonstrations(tmp_path):
    """A robomimic file: two demonstrations, out of order, with a picture and two observations."""
    path = tmp_path / "demo.hdf5"
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        env = {"env_name": "Lift", "env_kwargs": {"control_freq": 20}}
        data.attrs["env_args"] = json.dumps(env)
        for number, ticks in ((10, 3), (2, 4)):
            demo = data.create_group(f"demo_{number}")
            demo["actions"] = np.full((ticks, 7), number, np.float64)
            demo["rewards"] = np.arange(ticks, dtype=np.float64)
            demo["dones"] = np.zeros(ticks, np.int64)
            for seen in ("obs", "next_obs"):
                demo[f"{seen}/agentview_image"] = np.zeros((ticks, 8, 8, 3), np.uint8)
                demo[f"{seen}/robot0_eef_pos"] = np.ones((ticks, 3))
                demo[f"{seen}/robot0_gripper_qpos"] = np.zeros((ticks, 2))
    return path


def test_robomimic_is_read(demonstrations, tmp_path):
    from dataclasses import replace

    source = open_source(demonstrations, "robomimic")
    mapping = replace(guess_mapping(source), instruction="lift the cube")
    lost = import_dataset(source, mapping, tmp_path / "out")

    dataset = Dataset(tmp_path / "out")
    assert dataset.lengths.tolist() == [4, 3]
    assert dataset.instructions == ("lift the cube",) * 2
    assert dataset.tasks == ("Lift",) * 2
    assert dataset.interface.control_hz == 20
    assert dataset.interface.state == (
        *("robot0_eef_pos_0", "robot0_eef_pos_1", "robot0_eef_pos_2"),
        *("robot0_gripper_qpos_0", "robot0_gripper_qpos_1"),
    )
    assert [one.name for one in dataset.interface.cameras] == ["agentview_image"]
    assert dataset.episode(0).action[0].tolist() == [2.0] * 7
    assert dataset.episode(0).reward.tolist() == [0, 1, 2, 3]
    assert lost[0] == "not read: dones"


def test_what_is_no_robomimic_file_is_named(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["other"] = [1]

    with pytest.raises(DatasetError, match=r"a\.hdf5"):
        open_source(tmp_path / "a.hdf5", "robomimic")


@pytest.mark.parametrize("kind", ["hdf5", "minari", "robomimic"])
def test_a_missing_library_is_named_with_the_remedy(demonstrations, monkeypatch, kind):
    monkeypatch.setitem(sys.modules, "h5py", None)

    with pytest.raises(MissingExtraError, match=r'pip install "tinyvla-gym\[formats\]"'):
        open_source(demonstrations, kind)
