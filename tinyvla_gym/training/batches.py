"""From a cache of frames to augmented batches, each a function of (seed, step) alone.

Nothing has to be remembered for a resumed run to see the batches that it would have seen.

Shapes: B batch, K actions in a chunk, A action entries, S state entries, F times to foretell,
H and W picture size.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tinyvla_gym.data.arrays import taken
from tinyvla_gym.data.windows import chunk_indices
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.normalize import Normalizer
from tinyvla_gym.policies.tinyvla.backbone import Seen
from tinyvla_gym.policies.tinyvla.model import Inputs, TinyVLA
from tinyvla_gym.training.augmentation import augment
from tinyvla_gym.training.config import TrainConfig
from tinyvla_gym.training.frames import Features, Frames


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one optimiser step learns from.

    Attributes:
        inputs: What the model sees.
        actions: Normalised chunks, (B, K, A).
        is_pad: True outside the episode, (B, K).
        future: The normalised state some ticks later, or at the episode's end, (B, F, S).
        part: Which of the step's equal parts this is, from 0.
        parts: How many there are.
        share: Its share of the actions that count in all the parts.
    """

    inputs: Inputs
    actions: Tensor
    is_pad: Tensor
    future: Tensor
    part: int = 0
    parts: int = 1
    share: float = 1.0

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device."""
        return replace(
            self,
            inputs=self.inputs.map(lambda tensor: tensor.to(device)),
            actions=self.actions.to(device),
            is_pad=self.is_pad.to(device),
            future=self.future.to(device),
        )


class Batches:
    """The batches of a run, by step."""

    def __init__(
        self,
        frames: Frames,
        cameras: Sequence[str],
        normalizer: Normalizer,
        model: TinyVLA,
        config: TrainConfig,
        features: Features | None = None,
    ) -> None:
        """Prepares what all batches share.

        Args:
            frames: The data.
            cameras: Which cameras, in the interface's order.
            normalizer: The data's statistics.
            model: Only its ``tokenize`` is used.
            config: Batch size, augmentation, seed.
            features: What the backbone makes of each camera's pictures, instead of pictures.

        Raises:
            ConfigError: If the data is too small for the batch's parts, or has none of a task
                that is to be repeated.
        """
        self._frames = frames
        self._cameras = tuple(cameras)
        self._config = config
        self._features = features
        self._state = normalizer.state(np.asarray(frames.state))
        self._action = normalizer.action(np.asarray(frames.action))
        sentences = sorted(set(frames.instructions))
        self._words = model.tokenize(sentences)
        self._choices = _sentence_choices(frames, sentences, shuffle=config.shuffle_sentences)
        self._pool = _epoch(frames, config.task_repeats)
        self._size = min(config.batch_size, len(self._pool))
        if self._size % config.cuts:
            raise ConfigError(
                f"The data's {self._size} frames, less than a batch, cannot be cut into "
                f"{config.cuts} equal parts: use fewer parts and processes, or more data."
            )
        self._epoch = -1
        self._order = np.empty(0, np.int64)

    def at(self, step: int, *, part: int = 0, parts: int = 1) -> Batch:
        """Returns the batch of a step, or one of several equal parts of it.

        What is drawn is drawn for the whole batch, so that a frame looks the same in any part.

        Args:
            step: Counted from 0.
            part: Which part, from 0.
            parts: How many.
        """
        config, count = self._config, self._size // parts
        rng = np.random.default_rng([config.seed, 1, step, 0])
        frames = self._indices(step)
        episodes = self._frames.episode_of[frames]
        where, is_pad = chunk_indices(
            frames,
            self._frames.starts[episodes],
            self._frames.ends[episodes],
            config.model.horizon,
            config.chunk_offset,
        )
        words = [rng.choice(self._choices[episode]) for episode in episodes]
        own = slice(part * count, (part + 1) * count)
        share = (~is_pad[own]).sum() / max(1, (~is_pad).sum())
        frames, episodes, where, is_pad = frames[own], episodes[own], where[own], is_pad[own]
        ahead = frames[:, None] + np.array(config.foresight_ticks, np.int64)  # (B, F)
        later = np.minimum(ahead, self._frames.ends[episodes][:, None] - 1)
        return Batch(
            inputs=Inputs(
                images=self._images(frames, rng, part, parts),
                words=self._words[words[own]],
                state=torch.from_numpy(self._state[frames]),
            ),
            actions=torch.from_numpy(self._action[where]),
            is_pad=torch.from_numpy(is_pad),
            future=torch.from_numpy(self._state[later]),
            part=part,
            parts=parts,
            share=float(share),
        )

    def _images(
        self, frames: NDArray[np.int64], rng: np.random.Generator, part: int, parts: int
    ) -> list[Seen]:
        """Each camera's pictures of some frames, augmented; or what was perceived of them."""
        if self._features is not None:
            kept = [self._features[camera] for camera in self._cameras]
            return [
                tuple(torch.from_numpy(taken(one, frames)) for one in arrays) for arrays in kept
            ]
        shift_px, jitter = self._config.shift_px, self._config.jitter
        pictures = [taken(self._frames.images[camera], frames) for camera in self._cameras]
        return [
            torch.from_numpy(augment(one, rng, shift_px, jitter, part=part, parts=parts))
            for one in pictures
        ]

    def _indices(self, step: int) -> NDArray[np.int64]:
        """Frames of a step: every epoch is a fresh shuffle, cut into batches."""
        size = self._size
        per_epoch = len(self._pool) // size
        epoch, place = divmod(step, per_epoch)
        if epoch != self._epoch:
            rng = np.random.default_rng([self._config.seed, 0, epoch])
            self._order = rng.permutation(self._pool)
            self._epoch = epoch
        return np.sort(self._order[place * size : (place + 1) * size])


def _epoch(frames: Frames, repeats: Mapping[str, int]) -> NDArray[np.int64]:
    """What one epoch shows, in order: every frame, those of some tasks several times.

    Raises:
        ConfigError: If the data has none of a task that is to be repeated.
    """
    missing = sorted(set(repeats) - set(frames.tasks))
    if missing:
        raise ConfigError(
            f"The data has no episode of {', '.join(missing)}, which task_repeats names."
        )
    counts = np.array([repeats.get(task, 1) for task in frames.tasks])
    return np.repeat(np.arange(len(frames.state)), counts[frames.episode_of])


def _sentence_choices(
    frames: Frames, sentences: Sequence[str], *, shuffle: bool
) -> list[NDArray[np.int64]]:
    """For each episode, the rows of ``sentences`` that may stand for its own."""
    row = {sentence: index for index, sentence in enumerate(sentences)}
    by_task: dict[str, set[int]] = defaultdict(set)
    for task, sentence in zip(frames.tasks, frames.instructions, strict=True):
        by_task[task].add(row[sentence])
    return [
        np.array(sorted(by_task[task]) if shuffle and task else [row[sentence]])
        for task, sentence in zip(frames.tasks, frames.instructions, strict=True)
    ]
