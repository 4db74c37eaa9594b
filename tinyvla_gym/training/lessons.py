"""What a policy plans for a dataset's frames, from which a faster head can learn the same.

A plan is a function of what was understood and of the noise that it begins with. Both are kept
with the plan, and mapped from the disk, since they take minutes to make.

Shapes: N lessons, D condition width, K actions in a chunk, A action entries.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tinyvla_gym.data.arrays import Layout, open_arrays
from tinyvla_gym.data.places import default_cache_root
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.training.batches import Batches
from tinyvla_gym.training.config import TrainConfig
from tinyvla_gym.training.frames import Frames
from tinyvla_gym.training.origin import placeless, tensors_digest, vocabulary_digest


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """What was understood, the noise, and the normalised chunk that became of it.

    Attributes:
        condition: Shape (N, D).
        noise: Standard normal, (N, K, A).
        chunk: In [-1, 1], (N, K, A).
    """

    condition: NDArray[np.float32]
    noise: NDArray[np.float32]
    chunk: NDArray[np.float32]


def open_lessons(
    frames: Frames,
    teacher: TinyVLAPolicy,
    config: TrainConfig,
    looks: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Lessons:
    """Maps a teacher's plans for a dataset, and has it plan if nobody has yet.

    Args:
        frames: The data; only what the teacher sees is read, not what was done.
        teacher: The policy; on the CPU.
        config: Its batch size, augmentation and seed count.
        looks: How often each frame is looked at, each time augmented and with noise of its own.
        progress: Told (done, total) batches.

    Raises:
        OutputError: If the lessons cannot be written, or do not fit on the disk.
    """
    cameras = [camera.name for camera in teacher.spec.interface.cameras]
    batches = Batches(frames, cameras, teacher.normalizer, teacher.model, config)
    size = min(config.batch_size, len(frames.state))
    turns = looks * (len(frames.state) // size)
    plan = (teacher.config.horizon, len(teacher.spec.interface.action))
    kind, count = np.dtype(np.float32), turns * size
    layouts = {
        "condition": Layout(kind, (count, teacher.model.condition_size)),
        "noise": Layout(kind, (count, *plan)),
        "chunk": Layout(kind, (count, *plan)),
    }

    @torch.no_grad()
    def fill(fresh: dict[str, NDArray]) -> None:
        noise = torch.Generator().manual_seed(config.seed)
        for turn in range(turns):
            rows = slice(turn * size, (turn + 1) * size)
            condition = teacher.model.encode(batches.at(turn).inputs)
            drawn = torch.randn(size, *plan, generator=noise)
            chunk = teacher.model.sample(condition, drawn)
            fresh["condition"][rows] = condition.numpy()
            fresh["noise"][rows] = drawn.numpy()
            fresh["chunk"][rows] = chunk.numpy()
            progress(turn + 1, turns)

    key = lessons_digest(frames, teacher, config, looks)
    arrays = open_arrays(default_cache_root() / f"lessons-{key[:16]}", key, layouts, fill)
    return Lessons(**arrays)


def lessons_digest(frames: Frames, teacher: TinyVLAPolicy, config: TrainConfig, looks: int) -> str:
    """A digest of all that the lessons depend on: the teacher's weights are what it is."""
    said = [
        *(frames.fingerprint, looks, config.seed, config.batch_size, config.shift_px),
        *(config.jitter, config.shuffle_sentences, placeless(teacher.config.to_dict())),
        *(teacher.spec.interface.to_dict(), teacher.normalizer.to_dict()),
        *(vocabulary_digest(teacher.config), tensors_digest(teacher.model.state_dict())),
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
