"""Distillation: a one-step head learns to plan as a policy does that takes ten steps.

DDIM and Euler steps draw nothing, so equal noise gives equal plans: a teacher's sampling is a
function of condition and noise, and the student learns it as one jump (Luhman and Luhman, arXiv
2101.02388). Eyes, reader and fusion stay the teacher's, so pictures are looked at only while the
lessons are made.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from tinyvla_gym.data.cache import open_cache
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.config import build
from tinyvla_gym.policies.tinyvla.heads.diffusion import DiffusionHead
from tinyvla_gym.policies.tinyvla.heads.flow import FlowHead
from tinyvla_gym.policies.tinyvla.heads.one_step import OneStepHead
from tinyvla_gym.policies.tinyvla.lora import merge_lora
from tinyvla_gym.policies.tinyvla.model import TinyVLA
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.training.config import TrainConfig
from tinyvla_gym.training.descent import descend
from tinyvla_gym.training.ema import Ema
from tinyvla_gym.training.frames import Frames
from tinyvla_gym.training.lessons import Lessons, lessons_digest, open_lessons
from tinyvla_gym.training.logbook import Progress
from tinyvla_gym.training.run_folder import begin_run, check_run
from tinyvla_gym.training.start import open_start
from tinyvla_gym.training.team import Team, launched_size


def distillation(teacher: TinyVLAPolicy, *, steps: int = 3_000, seed: int = 0) -> TrainConfig:
    """The settings of a distillation: the teacher's model with a one-step head."""
    return TrainConfig(
        model=replace(teacher.config, head="one_step", head_options={}),
        steps=steps,
        warmup_steps=min(200, steps // 2),
        batch_size=256,
        draws=1,
        weight_decay=0.0,
        foresight_ticks=(),
        seed=seed,
    )


def distill_on_dataset(
    data: Path,
    run: Path,
    teacher: str,
    *,
    name: str | None = None,
    steps: int = 3_000,
    looks: int = 2,
    seed: int = 0,
    resume: bool = False,
    on_decoded: Callable[[int, int], None] = lambda _done, _total: None,
    on_taught: Callable[[int, int], None] = lambda _done, _total: None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> TinyVLAPolicy:
    """Distils a named policy on a dataset that fits it, as the command line does.

    Args:
        data: A dataset's folder.
        run: Folder of the run; see ``distill``.
        teacher: A policy as ``load_policy`` takes it.
        name: What reports call the student; the teacher's name and ``-fast`` when None.
        steps: Optimiser steps.
        looks: How often the teacher looks at each frame.
        seed: Of all that is drawn.
        resume: Go on with an interrupted run.
        on_decoded: Told (done, total) episodes while the dataset is decoded.
        on_taught: Told (done, total) batches while the teacher plans.
        on_progress: Told of every line of the log.

    Returns:
        The student, also saved as ``run/checkpoint``.

    Raises:
        InterfaceMismatchError: If the dataset does not show what the teacher sees.
        DatasetError: If the dataset is damaged or cut short.
        ConfigError, OutputError, CheckpointError: See ``distill``.
    """
    found = open_start(teacher, Dataset(data))
    merge_lora(found.model)
    check_teacher(found)
    return distill(
        open_cache(data, look=found.config.look, progress=on_decoded),
        found,
        distillation(found, steps=steps, seed=seed),
        run,
        name=name or f"{found.spec.name}-fast",
        looks=looks,
        resume=resume,
        on_taught=on_taught,
        on_progress=on_progress,
    )


def distill(
    frames: Frames,
    teacher: TinyVLAPolicy,
    config: TrainConfig,
    run: Path,
    *,
    name: str,
    looks: int = 2,
    resume: bool = False,
    on_taught: Callable[[int, int], None] = lambda _done, _total: None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> TinyVLAPolicy:
    """Trains a one-step head on what its teacher plans.

    Args:
        frames: Data that the teacher may see; what was done in it is not read.
        teacher: A policy with a diffusion or a flow head.
        config: What ``distillation`` gave.
        run: Folder for the log, the resumable state and, at the end, ``checkpoint/``.
        name: What reports call the student.
        looks: How often the teacher looks at each frame, with noise of its own each time.
        resume: Go on with the run in the folder.
        on_taught: Told (done, total) batches while the teacher plans.
        on_progress: Told of every line of the log.

    Returns:
        The student, also saved as ``run/checkpoint``.

    Raises:
        ConfigError: If the teacher's plans are no function of condition and noise in many steps,
            nobody looks, or the run that is resumed had another teacher, data or settings.
        OutputError: If ``run`` holds a run and ``resume`` is not set, or cannot be written.
        CheckpointError: If the state is damaged.
    """
    check_teacher(teacher)
    _check_settings(looks)
    torch.set_num_threads(1)
    torch.manual_seed(config.seed)
    said = {
        "teacher": teacher.spec.name,
        "lessons": lessons_digest(frames, teacher, config, looks),
        "data": frames.fingerprint,
        "looks": looks,
    }
    settings = {**config.to_dict(), **said}
    check_run(run, settings, resume=resume)
    lessons = open_lessons(frames, teacher, config, looks, on_taught)
    model = pupil(teacher, config)
    begin_run(run, settings)
    model.head = _learn(cast(OneStepHead, model.head), lessons, config, run, on_progress)
    facts: dict[str, Any] = {**teacher.facts, "distilled": {**said, "steps": config.steps}}
    spec = replace(teacher.spec, name=name)
    student = TinyVLAPolicy(model, config.model, spec, teacher.normalizer, facts=facts)
    student.save_pretrained(run / "checkpoint", half=True)
    return TinyVLAPolicy.from_pretrained(run / "checkpoint")  # what was rounded is what we give


def _check_settings(looks: int) -> None:
    if looks < 1:
        raise ConfigError(f"looks must be at least 1, got {looks}.")
    if launched_size() > 1:
        raise ConfigError("A distillation is one process's work: start it without a launcher.")


def check_teacher(teacher: TinyVLAPolicy) -> None:
    """Refuses a policy whose sampling cannot be learnt as a jump.

    Raises:
        ConfigError: It says why.
    """
    head = teacher.model.head
    if not isinstance(head, DiffusionHead | FlowHead):
        raise ConfigError(
            f"{teacher.spec.name} has a {teacher.config.head} head, which plans in one go already; "
            "only diffusion and flow can be distilled."
        )
    if isinstance(head, DiffusionHead) and head.draws_noise:
        raise ConfigError(
            f"{teacher.spec.name} samples by {type(head.schedule).__name__}, which draws noise on "
            "its way: its plans are no function of the noise that they begin with."
        )


def pupil(teacher: TinyVLAPolicy, config: TrainConfig) -> TinyVLA:
    """The teacher's model with a one-step head that jumps along the teacher's first step.

    A diffusion head's U-Net foretells the noise, and the jump must take that away: so the last
    layer changes its sign. From fresh weights this alone would take most of the training.
    """
    model = build(config.model, teacher.spec.interface)
    theirs = teacher.model.state_dict()
    known = {name: t for name, t in theirs.items() if name in model.state_dict()}
    model.load_state_dict(known, strict=False)
    head, first = cast(Any, model.head), 0.0
    with torch.no_grad():
        if isinstance(teacher.model.head, DiffusionHead):
            first = teacher.model.head.levels[0]
            for weight in head.denoiser.final[-1].parameters():
                weight.neg_()
        levels = head.denoiser.step_encoder
        now, wanted = levels(torch.tensor([0.0, first]))
        levels[-1].bias += wanted - now  # the student begins at 0
        for weight in head.span_encoder[-1].parameters():
            weight.zero_()
    return model.eval()


def _learn(
    head: OneStepHead,
    lessons: Lessons,
    config: TrainConfig,
    run: Path,
    on_progress: Callable[[Progress], None],
) -> OneStepHead:
    """Returns the averaged weights."""

    def take(step: int) -> tuple[float, float]:
        began_s = time.perf_counter()
        condition, noise, chunk = _batch(lessons, step, config)
        waited_s = time.perf_counter() - began_s
        loss = F.mse_loss(head.chunks(condition, noise), chunk)
        loss.backward()
        return loss.item(), waited_s

    ema = Ema(head.train(), config.ema_decay)
    return descend(head, ema, take, config, run, Team(0, 1), on_progress)


def _batch(lessons: Lessons, step: int, config: TrainConfig) -> tuple[Tensor, Tensor, Tensor]:
    """The lessons of a step, drawn with replacement: (B, D), (B, K, A) and (B, K, A)."""
    rng = np.random.default_rng([config.seed, 2, step])
    rows = np.sort(rng.integers(0, len(lessons.condition), config.batch_size))
    kept = (lessons.condition, lessons.noise, lessons.chunk)
    condition, noise, chunk = (torch.from_numpy(one[rows]) for one in kept)
    return condition, noise, chunk
