"""TinyVLA's HDF5 both ways, against two episodes in the released layout."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tinyvla_gym.data.exporting.tinyvla_hdf5 import export_hdf5
from tinyvla_gym.data.importing.guess import guess_mapping
from tinyvla_gym.data.importing.open import import_dataset, open_source
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.errors import ConfigError, DatasetError, OutputError

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture
def released(tmp_path):
    """A folder with the two episodes of the released layout."""
    folder = tmp_path / "released"
    folder.mkdir()
    for number in range(2):
        name = f"episode_{number}.hdf5"
        shutil.copy(GOLDEN / f"tinyvla_{name}", folder / name)
    return folder


def layout(path):
    """Every dataset of a file with its type, dimensions and chunks, and the file's attributes."""
    with h5py.File(path) as file:
        found = {}
        file.visititems(
            lambda name, item: found.update(
                {name: (item.dtype, item.ndim, h5py.check_string_dtype(item.dtype), item.chunks)}
                if isinstance(item, h5py.Dataset)
                else {name: None}
            )
        )
        return found, {name: type(value) for name, value in file.attrs.items()}


def imported(folder, out, **settings):
    source = open_source(folder, "hdf5", **settings)
    lost = import_dataset(source, guess_mapping(source, control_hz=10), out)
    return Dataset(out), lost


def test_the_released_layout_is_read(released, tmp_path):
    dataset, lost = imported(released, tmp_path / "data")

    assert dataset.lengths.tolist() == [9, 21]
    assert dataset.instructions[0] == "close the lid of the box"
    assert [one.name for one in dataset.interface.cameras] == ["left", "right", "wrist"]
    assert dataset.interface.action_mode == "ee"
    assert any("nobody says which episodes succeeded" in one for one in lost)
    with h5py.File(released / "episode_1.hdf5") as file:
        images = file["observations/images/wrist"][:]
        action, state = file["action"][:], file["observations/qpos"][:]
    episode = dataset.episode(1)
    np.testing.assert_array_equal(episode.images["wrist"], images)
    np.testing.assert_array_equal(episode.action[:, :3], action[:, :3])
    matrix = Rotation.from_euler("xyz", state[:, 3:6]).as_matrix()
    np.testing.assert_allclose(episode.state[:, 3:9], matrix[:, :2].reshape(-1, 6), atol=1e-6)


def test_true_rotations_are_taken_as_they_are(released, tmp_path):
    dataset, _ = imported(released, tmp_path / "data", rotations="true")

    with h5py.File(released / "episode_0.hdf5") as file:
        np.testing.assert_array_equal(dataset.episode(0).action, file["action"][:])


@pytest.mark.parametrize("rotations", ["true", "released"])
def test_an_export_has_exactly_the_released_keys_types_and_chunks(released, tmp_path, rotations):
    dataset, _ = imported(released, tmp_path / "data")

    export_hdf5(dataset, tmp_path / "out", rotations=rotations)

    assert layout(tmp_path / "out/episode_0.hdf5") == layout(released / "episode_0.hdf5")


def test_what_comes_back_out_is_what_went_in(released, tmp_path):
    dataset, _ = imported(released, tmp_path / "data")

    export_hdf5(dataset, tmp_path / "out")

    for number in range(2):
        name = f"episode_{number}.hdf5"
        with h5py.File(released / name) as before, h5py.File(tmp_path / "out" / name) as after:
            assert after["language_raw"][0] == before["language_raw"][0]
            np.testing.assert_allclose(after["action"][:], before["action"][:], atol=2e-6)
            there, back = (one["observations/qpos"][:] for one in (before, after))
            np.testing.assert_allclose(np.sin(back), np.sin(there), atol=2e-6)  # 2 pi is nothing
            np.testing.assert_array_equal(
                after["observations/images/left"][:], before["observations/images/left"][:]
            )


def test_our_own_export_gives_everything_back_that_fits(record, tmp_path):
    before = Dataset(record("before", range(3), profile="parity-1"))

    lost = export_hdf5(before, tmp_path / "out")
    after, _ = imported(tmp_path / "out", tmp_path / "after")

    assert any("rewards" in one for one in lost)
    assert (after.interface, after.profile) == (before.interface, "parity-1")
    for index in range(3):
        one, other = before.episode(index), after.episode(index)
        np.testing.assert_array_equal(other.action, one.action)
        np.testing.assert_array_equal(other.state, one.state)
        np.testing.assert_array_equal(other.images["near"], one.images["near"])
        assert (other.seed, other.task, other.instruction) == (one.seed, one.task, one.instruction)


def test_a_broken_file_is_named(released, tmp_path):
    path = released / "episode_0.hdf5"
    path.write_bytes(path.read_bytes()[:1000])

    with pytest.raises(DatasetError, match=r"episode_0\.hdf5.*damaged"):
        open_source(released, "hdf5")


def test_what_is_no_episode_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"no \.hdf5 file"):
        open_source(tmp_path, "hdf5")
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["action"] = np.zeros((3, 2))
    with pytest.raises(DatasetError, match="it has no observations/qpos"):
        open_source(tmp_path, "hdf5")


def test_a_rate_must_be_known(released):
    with pytest.raises(ConfigError, match="how many ticks"):
        guess_mapping(open_source(released, "hdf5"))


def test_a_folder_in_use_is_left_alone(record, released):
    with pytest.raises(OutputError, match="not empty"):
        export_hdf5(Dataset(record("before", range(1))), released)


def test_packed_pictures_are_unpacked(tmp_path):
    from io import BytesIO

    from PIL import Image

    blue_first = np.zeros((2, 16, 16, 3), np.uint8)
    blue_first[..., 0] = 200
    packed = []
    for image in blue_first:
        buffer = BytesIO()
        Image.fromarray(image[..., ::-1]).save(buffer, format="jpeg", quality=95)
        packed.append(np.frombuffer(buffer.getvalue(), np.uint8))
    width = max(map(len, packed)) + 7
    with h5py.File(tmp_path / "episode_0.hdf5", "w") as file:
        file["action"], file["observations/qpos"] = np.zeros((2, 3)), np.zeros((2, 3))
        file["observations/images/top"] = np.stack(
            [np.pad(one, (0, width - len(one))) for one in packed]
        )

    source = open_source(tmp_path, "hdf5")

    images = source.read(0, ["observations/images/top"]).columns["observations/images/top"]
    assert images.shape == (2, 16, 16, 3)
    assert np.abs(images.astype(int) - blue_first).max() < 12
