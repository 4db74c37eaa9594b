"""Descent: one optimiser step after the other, with their log, averages and resumable state."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from tinyvla_gym.training.config import TrainConfig
from tinyvla_gym.training.ema import Ema
from tinyvla_gym.training.logbook import Logbook, Progress
from tinyvla_gym.training.rates import learning_share, weight_groups
from tinyvla_gym.training.run_folder import STATE
from tinyvla_gym.training.sharding import whole
from tinyvla_gym.training.state import load_state, save_state
from tinyvla_gym.training.team import Team

M = TypeVar("M", bound=nn.Module)


def descend(
    learner: M,
    ema: Ema[M],
    take: Callable[[int], tuple[float, float]],
    config: TrainConfig,
    run: Path,
    team: Team,
    on_progress: Callable[[Progress], None],
) -> M:
    """Takes all steps of a run that its folder does not hold yet.

    Args:
        learner: What learns; on its device, and in pieces where the settings say so.
        ema: Its averages.
        take: Leaves a step's gradients in the learner, the same in every process; told the step,
            from 0, it returns this process's loss and how long it waited for its batch [s].
        config: The run's settings.
        run: Its folder.
        team: Who takes part.
        on_progress: Told of every line of the log.

    Returns:
        The averaged weights.
    """
    groups = weight_groups(learner, config)
    trained = [weight for group in groups for weight in group["params"]]
    optimizer = torch.optim.AdamW(
        groups, betas=config.betas, eps=config.epsilon, weight_decay=config.weight_decay
    )
    longest = math.inf if config.clip_norm is None else config.clip_norm
    step = load_state(run / STATE, learner, ema, optimizer) if (run / STATE).exists() else 0
    logbook = Logbook(run, step, config, on_progress) if team.rank == 0 else None

    while step < config.steps:
        began_s = time.perf_counter()
        share = learning_share(step, config)
        for group in optimizer.param_groups:
            group["lr"] = share * group["peak"]
        optimizer.zero_grad(set_to_none=True)
        loss, waited_s = take(step)
        norm = float(whole(torch.nn.utils.clip_grad_norm_(trained, longest)))
        optimizer.step()
        ema.update(learner, step)
        step += 1
        mean_loss = team.mean(loss)
        if logbook is not None:
            took_s = time.perf_counter() - began_s
            rate = share * config.learning_rate
            logbook.note(step, mean_loss, norm, rate, waited_s, took_s)
        if step % config.save_every == 0 or step == config.steps:
            save_state(run / STATE, step, learner, ema, optimizer, write=team.rank == 0)
    if logbook is not None:
        logbook.close()
    return ema.model
