"""Tests for policies/tinyvla/released/statistics.py: nothing is run that a pickle asks for."""

import io
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from released_folders import GOLDEN, INTERFACE

from tinyvla_gym.errors import CheckpointError
from tinyvla_gym.policies.tinyvla.released.statistics import read_statistics, released_normalizer
from tinyvla_gym.policies.tinyvla.released.weights import read_file
from tinyvla_gym.pose import EE_NAMES


class Trap:
    """Unpickling it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def write(folder, facts, protocol=pickle.DEFAULT_PROTOCOL):
    path = folder / "dataset_stats.pkl"
    path.write_bytes(pickle.dumps(facts, protocol))
    return path


def test_the_authors_file_is_read() -> None:
    normalizer = released_normalizer(GOLDEN / "dataset_stats.pkl", INTERFACE)

    assert normalizer.action_low[0] == np.float32(-1.0148756504058838)
    assert normalizer.state_std[6] == np.float32(0.390272855758667)
    assert INTERFACE.action == EE_NAMES


@pytest.mark.parametrize("protocol", range(5))  # numpy writes 5 through functions of its own
def test_arrays_and_numbers_are_read_in_every_protocol(protocol, tmp_path) -> None:
    facts = OrderedDict(a=np.float32([[1, 2], [3, 4]]), b=np.float64(2.5), c=3, d=[0.5, 1])

    got = read_statistics(write(tmp_path, facts, protocol))

    assert {name: value.tolist() for name, value in got.items()} == {
        "a": [[1, 2], [3, 4]],
        "b": 2.5,
        "c": 3,
        "d": [0.5, 1],
    }


def test_tensors_are_read(tmp_path) -> None:
    got = read_statistics(write(tmp_path, {"a": torch.tensor([1.5, 2.5])}))

    assert got["a"].tolist() == [1.5, 2.5]


STRANGERS = {
    "a path": Path("home"),
    "a function": len,
    "a class": io.BytesIO,
    "text": "numbers",
    "objects in an array": np.array([None, {}], object),
    "nothing": None,
}


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_anything_else_is_refused(stranger, tmp_path) -> None:
    with pytest.raises(CheckpointError, match=r"dataset_stats\.pkl holds more than tensors and"):
        read_statistics(write(tmp_path, {"action_min": stranger}))


def test_a_trap_is_not_sprung(tmp_path) -> None:
    nested = {"a": torch.zeros(1), "b": [Trap(tmp_path / "sprung")]}

    with pytest.raises(CheckpointError, match="is not opened"):
        read_statistics(write(tmp_path, nested))

    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("dump", [pickle.dump, torch.save], ids=["pickle", "torch"])
def test_a_trap_among_weights_is_not_sprung(dump, tmp_path) -> None:
    path = tmp_path / "adapter_model.bin"
    with path.open("wb") as file:
        dump({"a": torch.zeros(1), "b": Trap(tmp_path / "sprung")}, file)

    with pytest.raises(CheckpointError, match=r"adapter_model\.bin .*(not opened|damaged)"):
        read_file(path)

    assert not (tmp_path / "sprung").exists()


def test_weights_that_are_none_are_refused(tmp_path) -> None:
    torch.save({"a": torch.zeros(1), "b": 3}, tmp_path / "model.bin")

    with pytest.raises(CheckpointError, match="other things than tensors: b"):
        read_file(tmp_path / "model.bin")


@pytest.mark.parametrize("kept_frac", [0.0, 0.3, 0.9])
def test_a_file_that_is_cut_short_is_refused(kept_frac, tmp_path) -> None:
    path = write(tmp_path, {"a": np.ones(100)})
    path.write_bytes(path.read_bytes()[: int(kept_frac * path.stat().st_size)])

    with pytest.raises(CheckpointError, match="is damaged"):
        read_statistics(path)


def test_a_missing_statistic_is_named(tmp_path) -> None:
    with pytest.raises(CheckpointError, match=r"has no qpos_std, action_min, action_max"):
        released_normalizer(write(tmp_path, {"qpos_mean": np.zeros(7)}), INTERFACE)
