"""Tests for training/forecast.py."""

import ctypes
import multiprocessing as mp
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fakes import INTERFACE

from tinyvla_gym.policies.tinyvla.config import build
from tinyvla_gym.policies.tinyvla.lora import add_lora
from tinyvla_gym.policies.tinyvla.model import Inputs
from tinyvla_gym.training.batches import Batch
from tinyvla_gym.training.checkpointing import forget_activations
from tinyvla_gym.training.forecast import Forecast, forecast
from tinyvla_gym.training.foresight import Learner
from tinyvla_gym.training.presets import preset

LLAVA = replace(preset("toy-llava"), lora_rank=0, batch_size=2, draws=1)
SMALL = replace(preset("tiny"), batch_size=256, draws=16)


def prepared(config, frames):
    torch.manual_seed(0)
    model = build(config.model, INTERFACE)
    if config.checkpointing:
        forget_activations(model.backbone)
    if config.lora_rank:
        add_lora(model, rank=config.lora_rank, alpha=config.lora_alpha)
    times, states = len(config.foresight_ticks), len(INTERFACE.state)
    learner = Learner(model, times=times, state_size=states, weight=0.5).train()
    pictures = [
        torch.zeros((frames, c.height, c.width, 3), dtype=torch.uint8) for c in INTERFACE.cameras
    ]
    words = model.tokenize(["go"]).repeat_interleave(frames, 0)
    batch = Batch(
        inputs=Inputs(images=pictures, words=words, state=torch.zeros(frames, states)),
        actions=torch.zeros(frames, 8, len(INTERFACE.action)),
        is_pad=torch.zeros(frames, 8, dtype=torch.bool),
        future=torch.zeros(frames, times, states),
    )
    return learner, batch


def step(learner, batch, config):
    draw = torch.Generator().manual_seed(0)
    learner.loss(batch, draws=config.draws, generator=draw).backward()


def test_nothing_is_changed_by_a_rehearsal() -> None:
    learner, batch = prepared(LLAVA, 2)
    before = {name: tensor.clone() for name, tensor in learner.state_dict().items()}
    random = torch.get_rng_state()

    forecast(learner, batch, LLAVA)

    after = learner.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(weight.grad is None for weight in learner.parameters())
    assert torch.equal(torch.get_rng_state(), random)


def test_adapters_need_fewer_moments_and_gradients() -> None:
    whole, adapted = (
        forecast(*prepared(config, 2), config) for config in (LLAVA, replace(LLAVA, lora_rank=2))
    )

    assert whole.trained == whole.weights
    assert adapted.trained < whole.trained < adapted.weights
    assert adapted.standing_bytes < whole.standing_bytes
    assert whole.standing_bytes == pytest.approx(4 * 4 * whole.weights, rel=0.01)


def test_checkpointing_needs_less_memory_and_more_parts_do_too() -> None:
    plain = forecast(*prepared(LLAVA, 64), LLAVA)
    again = replace(LLAVA, checkpointing=True)

    assert forecast(*prepared(again, 64), again).passing_bytes < 0.8 * plain.passing_bytes
    assert forecast(*prepared(LLAVA, 16), LLAVA).passing_bytes < 0.5 * plain.passing_bytes


def in_megabytes(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's account of memory")
def test_the_memory_is_what_a_step_takes_within_a_factor_of_two() -> None:
    learner, batch = prepared(SMALL, 256)
    measured = mp.get_context("fork").SimpleQueue()

    def work():
        torch.set_num_threads(1)
        ctypes.CDLL(None).malloc_trim(0)  # or what was freed before would be used again unseen
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak until now
        before = in_megabytes("VmRSS")
        step(learner, batch, SMALL)
        measured.put(in_megabytes("VmHWM") - before)

    torch.set_num_threads(1)
    process = mp.get_context("fork").Process(target=work)
    process.start()
    took = measured.get()
    process.join()
    told = forecast(learner, batch, SMALL).passing_bytes / 2**20

    assert took > 50  # enough to tell activations from noise
    assert took / 2 < told < took * 2


def test_the_time_is_what_a_step_takes_within_a_factor_of_four() -> None:
    config = replace(LLAVA, batch_size=16)
    learner, batch = prepared(config, 16)
    step(learner, batch, config)  # warms up
    began_s = time.process_time()
    step(learner, batch, config)
    took_s = time.process_time() - began_s

    told = forecast(learner, batch, config, clock=time.process_time).step_s

    assert took_s / 4 < told < took_s * 4


def test_parts_are_taken_in_turn_and_processes_work_at_once() -> None:
    def told(**changes):
        config = replace(LLAVA, batch_size=8, **changes)
        ticks = iter(range(100))
        learner, batch = prepared(config, 8 // config.cuts)
        return forecast(learner, batch, config, clock=lambda: next(ticks)).step_s

    assert told() == pytest.approx(4.0)  # a second for two frames is long enough to tell
    assert told(parts=2) == pytest.approx(4.0)
    assert told(parts=2, processes=2) == pytest.approx(2.0)


def test_it_says_what_a_person_wants_to_know() -> None:
    told = Forecast(
        weights=421_800_000,
        trained=105_100_000,
        standing_bytes=4 * 2**30,
        passing_bytes=5 * 2**30,
        step_s=1.8,
        steps=10_000,
    )

    assert str(told) == (
        "105.1 M of 421.8 M weights learn; about 9.00 GiB per process (activations and gradients "
        "5.00), 1.8 s per step and 5.0 h for 10000 steps, if nothing else runs here"
    )
