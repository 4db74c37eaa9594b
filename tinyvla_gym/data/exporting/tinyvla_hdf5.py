"""A dataset of ours as the HDF5 episodes that TinyVLA's released code loads."""

from pathlib import Path
from typing import Any

import numpy as np

from tinyvla_gym.data.atomic import save_json, written_whole
from tinyvla_gym.data.episode import Episode
from tinyvla_gym.data.importing.hdf5 import load_h5py
from tinyvla_gym.data.importing.tinyvla_hdf5 import NOTES
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.data.lerobot.merge import Progress
from tinyvla_gym.data.rotation import Convention, encode_action, encode_state
from tinyvla_gym.errors import OutputError


def export_hdf5(
    dataset: Dataset,
    out: Path,
    *,
    rotations: Convention = "released",
    progress: Progress | None = None,
) -> list[str]:
    """Writes ``episode_<n>.hdf5`` files with exactly the keys and types of the released code.

    Two JSON files beside them keep what the format has no place for, so that an import gives the
    dataset's interface, seeds and tasks back.

    Args:
        dataset: What to export.
        out: A folder; new or empty.
        rotations: How the six numbers of rotations are written where actions are poses; see
            ``data.rotation``.
        progress: Told (done, total) episodes.

    Returns:
        What is lost, as sentences.

    Raises:
        MissingExtraError: If h5py is not installed.
        OutputError: If the folder is in use or cannot be written to.
        DatasetError: If an episode is damaged.
    """
    h5py = load_h5py("Writing TinyVLA's HDF5")
    if out.exists() and any(out.iterdir()):
        raise OutputError(out, "the folder is not empty. Choose another one.")
    notes = {}
    for index in range(len(dataset)):
        episode = dataset.episode(index)
        name = f"episode_{index}.hdf5"
        with written_whole(out / name) as partial, h5py.File(partial, "w") as file:
            _fill(file, episode, dataset.interface.action_mode == "ee", rotations)
        notes[name] = {
            "instruction": episode.instruction,
            "seed": episode.seed,
            "task": episode.task,
            "source": episode.source,
        }
        if progress:
            progress(index + 1, len(dataset))
    dataset.facts.save(out)
    save_json(out / NOTES, {"rotations": rotations, "episodes": notes})
    return _losses(dataset)


def _fill(file: Any, episode: Episode, is_pose: bool, rotations: Convention) -> None:
    """Writes one episode in the layout of the released loader."""
    file.attrs["sim"] = np.True_  # False would shift its action chunks by one tick
    action, state = episode.action, episode.state
    if is_pose:
        action, state = encode_action(action, rotations), encode_state(state, rotations)
    file["action"] = action
    file["is_edited"] = np.zeros(1)
    file["language_raw"] = np.array([episode.instruction.encode()], dtype=object)
    observations = file.create_group("observations")
    observations["qpos"] = state
    observations["qvel"] = np.zeros_like(state)  # the loader reads it and throws it away
    images = observations.create_group("images")
    for camera, pictures in episode.images.items():
        one = (1, *pictures.shape[1:])
        images.create_dataset(camera, data=pictures, chunks=one)


def _losses(dataset: Dataset) -> list[str]:
    lost = ["rewards, success and what reached the robot (sent_action) have no place in the format"]
    if dataset.interface.action_mode == "ee":
        lost.append("rotations are rounded: they are written as angles and built again")
    return lost
