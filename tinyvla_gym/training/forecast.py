"""What a run will need, told before its first step: memory, and time.

A few frames are learnt from in rehearsal, without changing a weight. Every tensor that this makes
is written down while it lives, and what grows with the frames is extended to a part.
"""

import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tinyvla_gym.training.batches import Batch
from tinyvla_gym.training.config import TrainConfig
from tinyvla_gym.training.foresight import Learner

ENOUGH_S = 1.0
"""A rehearsal that takes this long tells how long a part will take."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What one process of a run will need.

    Attributes:
        weights: How many there are.
        trained: How many of them learn.
        standing_bytes: What lies in memory all the time: weights, averages and moments.
        passing_bytes: What comes and goes with a part: activations and gradients.
        step_s: Seconds per optimiser step, the optimiser's own work aside.
        steps: Optimiser steps of the run.
    """

    weights: int
    trained: int
    standing_bytes: int
    passing_bytes: int
    step_s: float
    steps: int

    @property
    def peak_bytes(self) -> int:
        """The most at a time; while the run's state is saved, it lies in memory twice."""
        return self.standing_bytes + max(self.passing_bytes, self.standing_bytes)

    def __str__(self) -> str:
        hours = self.steps * self.step_s / 3600
        return (
            f"{self.trained / 1e6:.1f} M of {self.weights / 1e6:.1f} M weights learn; about "
            f"{self.peak_bytes / 2**30:.2f} GiB per process (activations and gradients "
            f"{self.passing_bytes / 2**30:.2f}), {self.step_s:.2g} s per step and {hours:.1f} h "
            f"for {self.steps} steps, if nothing else runs here"
        )


def forecast(
    learner: Learner,
    batch: Batch,
    config: TrainConfig,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Forecast:
    """Rehearses on a part's first frames; weights, gradients and what is drawn stay untouched.

    Memory is right within a factor of 2, time within one of 4 if nothing else runs: the tests say
    so of small models on a CPU.

    Args:
        learner: What will learn, in training mode and on its device.
        batch: One part of a batch.
        config: The run's settings.
        clock: Seconds.
    """
    frames = len(batch.is_pad)
    with torch.random.fork_rng():
        per_frame_bytes = _bytes_per_frame(learner, batch, config)
        part_s = _seconds(learner, batch, config, clock)
    state = [*learner.parameters(), *learner.buffers()]
    trained = [weight for weight in learner.parameters() if weight.requires_grad]
    return Forecast(
        weights=sum(weight.numel() for weight in learner.parameters()),
        trained=sum(weight.numel() for weight in trained),
        standing_bytes=2 * sum(map(_bytes, state)) + 2 * sum(map(_bytes, trained)),
        passing_bytes=sum(map(_bytes, trained)) + frames * per_frame_bytes,
        step_s=part_s * config.cuts / config.processes,
        steps=config.steps,
    )


def _first(batch: Batch, count: int) -> Batch:
    return replace(
        batch,
        inputs=batch.inputs.map(lambda tensor: tensor[:count]),
        actions=batch.actions[:count],
        is_pad=batch.is_pad[:count],
        future=batch.future[:count],
        part=0,
        parts=1,
    )


def _bytes_per_frame(learner: Learner, batch: Batch, config: TrainConfig) -> int:
    """What a second frame adds: on the way forwards, or on the way back if that is more.

    Of few frames the gradients of the weights outweigh the activations on the way back.
    """
    kept, peak = zip(
        *(_most(learner, _first(batch, count), config) for count in (1, 2)), strict=True
    )
    return max(kept[1] - kept[0], peak[1] - peak[0], 0)


def _seconds(
    learner: Learner, batch: Batch, config: TrainConfig, clock: Callable[[], float]
) -> float:
    """How long a part takes; more frames are tried until it is long enough to tell."""
    frames, count = len(batch.is_pad), 1
    while True:
        count = min(2 * count, frames)
        began_s = clock()
        _loss(learner, _first(batch, count), config).backward()
        learner.zero_grad(set_to_none=True)
        if batch.actions.is_cuda:
            torch.cuda.synchronize()
        took_s = clock() - began_s
        if took_s >= ENOUGH_S or count == frames:
            return took_s * frames / count


def _loss(learner: Learner, batch: Batch, config: TrainConfig) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    return learner.loss(batch, draws=config.draws, generator=draw)


def _most(learner: Learner, batch: Batch, config: TrainConfig) -> tuple[int, int]:
    """Bytes at the most on the way forwards, and on both ways."""
    with _Ledger([*learner.parameters(), *learner.buffers()]) as ledger:
        loss = _loss(learner, batch, config)
        forwards = ledger.peak
        loss.backward()
        learner.zero_grad(set_to_none=True)
    return forwards, ledger.peak


class _Ledger(TorchDispatchMode):
    """Writes down the bytes of every tensor that is made, and strikes them out when it is gone."""

    def __init__(self, known: list[Tensor]) -> None:
        """Names the tensors that are there already."""
        super().__init__()
        self._known = {tensor.untyped_storage().data_ptr() for tensor in known}
        self._now = 0
        self.peak = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                self._note(leaf.untyped_storage())
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        place, size = storage.data_ptr(), storage.nbytes()
        if place in self._known:
            return
        self._known.add(place)
        self._now += size
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._strike, place, size)

    def _strike(self, place: int, size: int) -> None:
        self._known.discard(place)
        self._now -= size


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
