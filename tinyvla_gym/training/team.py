"""Data-parallel training: processes on this machine's cores, or on GPUs and nodes.

Two threads in one process share small convolutions badly; two processes that average their
gradients use two cores almost fully. For GPUs and several machines, ``accelerate launch`` (or
torchrun) starts the processes and says who is who; what they do is the same.
"""

import multiprocessing as mp
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from tinyvla_gym.errors import ConfigError, TinyVLAError

TIMEOUT = timedelta(minutes=5)
"""How long one process waits for another before it gives up."""


class Team:
    """One process's view of all that train together."""

    def __init__(self, rank: int, size: int, device: str | torch.device = "cpu") -> None:
        """Names this process.

        Args:
            rank: Which one, from 0; 0 writes the files.
            size: How many.
            device: Where it computes.
        """
        self.rank = rank
        self.size = size
        self.device = torch.device(device)

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
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return float(total) / self.size

    def wait(self) -> None:
        """Returns when the whole team has come here."""
        self.mean(0.0)


def launched_size() -> int:
    """How many processes a launcher has started; 0 if there was none."""
    return int(os.environ.get("WORLD_SIZE", 0)) if "RANK" in os.environ else 0


def launched_rank() -> int:
    """Which of the launcher's processes this is; 0 if there was none."""
    return int(os.environ["RANK"]) if launched_size() else 0


def check_launched() -> None:
    """Refuses to share weights among forks, which inherit a layout that is not theirs.

    Raises:
        ConfigError: If no launcher has started this process.
    """
    if not launched_size():
        raise ConfigError(
            "shard=True shares the weights among processes that a launcher has started: "
            "accelerate launch --num_processes 2 --module tinyvla_gym.cli.main train --shard …"
        )


def run_as_team(size: int, work: Callable[[Team], None], device: str = "cpu") -> None:
    """Calls ``work`` in this process as rank 0 and in ``size - 1`` forks of it.

    Processes that a launcher has started do their own part only, on their own device.

    Args:
        size: Processes.
        work: Must do the same steps for every rank.
        device: Where a single process computes; several compute on the CPU.

    Raises:
        ConfigError: If a launcher has started another number of processes.
        TinyVLAError: What another process has found to be wrong.
    """
    if launched_size():
        _join_launched(size, work, cpu=device == "cpu")
        return
    if size == 1:
        work(Team(0, 1, device))
        return
    if device != "cpu":
        raise ConfigError(
            f"{size} processes on {device} need a launcher, which gives each a GPU of its own: "
            "accelerate launch --module tinyvla_gym.cli.main train …"
        )
    _fork(size, work)


def _fork(size: int, work: Callable[[Team], None]) -> None:
    """Works here as rank 0, and in forks, of whose mistakes this process alone tells."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # nothing leaves this machine
    context = mp.get_context("fork")  # shares the memory-mapped frames
    mistakes = context.SimpleQueue()

    def lead(team: Team) -> None:
        try:
            work(team)
        except (TinyVLAError, KeyboardInterrupt):
            for process in others:
                process.terminate()  # before they wonder where this one is
            raise

    def follow(team: Team) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for rank 0, who ends the others
        try:
            work(team)
        except TinyVLAError as error:
            mistakes.put(str(error))
            sys.exit(1)

    with tempfile.TemporaryDirectory() as folder:
        meeting = f"file://{Path(folder).resolve() / 'meeting'}"
        others = [
            context.Process(target=_meet, args=(meeting, rank, size, follow), daemon=True)
            for rank in range(1, size)
        ]
        for process in others:
            process.start()
        try:
            _meet(meeting, 0, size, lead)
        except RuntimeError as error:
            if isinstance(error, TinyVLAError) or mistakes.empty():
                raise
            raise TinyVLAError(mistakes.get()) from error  # why this process was left alone
        for process in others:
            process.join()


def _meet(meeting: str, rank: int, size: int, work: Callable[[Team], None]) -> None:
    dist.init_process_group(
        "gloo", init_method=meeting, rank=rank, world_size=size, timeout=TIMEOUT
    )
    try:
        work(Team(rank, size))
    finally:
        dist.destroy_process_group()


def _join_launched(size: int, work: Callable[[Team], None], *, cpu: bool) -> None:
    from accelerate import PartialState

    if size != launched_size():
        raise ConfigError(
            f"The launcher has started {launched_size()} processes, the settings want {size}."
        )
    state = PartialState(cpu=cpu, timeout=TIMEOUT)
    try:
        work(Team(state.process_index, state.num_processes, state.device or "cpu"))
    finally:
        state.destroy_process_group()
