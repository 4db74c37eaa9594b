"""What a training run leaves behind, and ways to end it early."""

import csv
import multiprocessing as mp
import os
import signal

import torch
from safetensors.torch import load_file

from tinyvla_gym.training.loop import train

LINES = [2, 4, 6, 8, 10, 12]  # of the settings' twelve steps


def log(run):
    with (run / "log.csv").open() as file:
        return list(csv.DictReader(file))


def losses(run):
    return [(row["step"], row["loss"], row["gradient_norm"]) for row in log(run)]


def weights(run):
    return load_file(run / "checkpoint" / "model.safetensors")


def same_weights(one, other):
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def killed(work):
    """Runs something in another process that must not survive it."""
    process = mp.get_context("fork").Process(target=work)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


def killed_after(line, *given, **settings):
    """Trains until a line of the log is written, then kill -9."""

    def work():
        train(*given, **settings, on_progress=lambda p: die() if p.step == line else None)

    torch.set_num_threads(1)
    killed(work)
