"""Data-parallel training on one machine: processes with one torch thread each.

Two threads in one process share small convolutions badly; two processes that average their
gradients use two cores almost fully.
"""

import multiprocessing as mp
import os
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

TIMEOUT = timedelta(minutes=5)
"""How long one process waits for another before it gives up."""


class Team:
    """One process's view of all that train together."""

    def __init__(self, rank: int, size: int) -> None:
        """Names this process.

        Args:
            rank: Which one, from 0; 0 writes the files.
            size: How many.
        """
        self.rank = rank
        self.size = size

    def average_gradients(self, model: nn.Module) -> None:
        """Replaces every gradient by its mean over the team; the same bits everywhere."""
        if self.size == 1:
            return
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.size
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def mean(self, value: float) -> float:
        """The mean of a number over the team."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64)
        dist.all_reduce(total)
        return float(total) / self.size


def run_as_team(size: int, work: Callable[[Team], None]) -> None:
    """Calls ``work`` in this process as rank 0 and in ``size - 1`` forks of it.

    Args:
        size: Processes.
        work: Must do the same steps for every rank.
    """
    if size == 1:
        work(Team(0, 1))
        return
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # nothing leaves this machine
    with tempfile.TemporaryDirectory() as folder:
        meeting = f"file://{Path(folder).resolve() / 'meeting'}"

        def join(rank: int) -> None:
            dist.init_process_group(
                "gloo", init_method=meeting, rank=rank, world_size=size, timeout=TIMEOUT
            )
            try:
                work(Team(rank, size))
            finally:
                dist.destroy_process_group()

        context = mp.get_context("fork")  # shares the memory-mapped frames
        others = [
            context.Process(target=join, args=(rank,), daemon=True) for rank in range(1, size)
        ]
        for process in others:
            process.start()
        join(0)
        for process in others:
            process.join()
