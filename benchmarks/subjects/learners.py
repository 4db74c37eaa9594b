"""Ours: TinyVLA learning, with the released run's weights or with random ones."""

from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu_check import lora_step, random_policy, seen
from benchmarks.lines import serve
from benchmarks.subjects.inputs import CHUNK, SENTENCE, STATES, sight, versions
from benchmarks.subjects.peak import forget_peak, peak_mb
from tinyvla_gym.interface import Interface
from tinyvla_gym.policies.tinyvla.model import Inputs
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.policies.tinyvla.released.franka import franka_interface
from tinyvla_gym.policies.tinyvla.released.importer import import_run
from tinyvla_gym.training.batches import Batch
from tinyvla_gym.training.checkpointing import forget_activations
from tinyvla_gym.training.ema import Ema
from tinyvla_gym.training.foresight import Learner
from tinyvla_gym.training.loop import adapt as put_adapters_on
from tinyvla_gym.training.presets import preset
from tinyvla_gym.training.rates import weight_groups

CAMERAS = ("left", "right")


class State:
    """What lives from one request to the next."""

    policy: TinyVLAPolicy
    learner: Learner
    optimizer: torch.optim.Optimizer
    averages: Ema[Learner]


def read(folder: str, words: str) -> int:
    """Imports a released run; returns how many weights it has."""
    torch.set_num_threads(1)
    State.policy = import_run(
        Path(folder), franka_interface(CAMERAS), tokenizer=words, prompt="evaluation"
    )
    return State.policy.parameters


def adapt(checkpointing: bool) -> int:
    """Makes everything ready to learn as ``train --preset s`` does; how many weights learn."""
    config = preset("s")
    put_adapters_on(State.policy.model, config)
    if checkpointing:
        forget_activations(State.policy.model.backbone)
    State.learner = Learner(State.policy.model, times=0, state_size=STATES, weight=0.0).train()
    groups = [{**group, "lr": group["peak"]} for group in weight_groups(State.learner, config)]
    State.optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    State.averages = Ema(State.learner, config.ema_decay)
    return sum(one.numel() for one in State.learner.parameters() if one.requires_grad)


def learn(seed: int) -> dict[str, Any]:
    """Takes one step of learning from one frame; seconds, its loss, and memory at the most [MB]."""
    batch = frame(seed)
    forget_peak()
    began = process_time()
    State.optimizer.zero_grad(set_to_none=True)
    loss = State.learner.loss(batch, draws=1, generator=torch.Generator().manual_seed(seed))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(State.learner.parameters(), 1.0)
    State.optimizer.step()
    State.averages.update(State.learner, seed)
    return {"seconds": process_time() - began, "loss": float(loss.detach()), "peak_mb": peak_mb()}


class Given:
    """Dice that fall as they are told."""

    def __init__(self, seed: int) -> None:
        self.sight = sight(seed)

    def integers(self, *_: object) -> Tensor:
        """The noise level."""
        return torch.tensor([self.sight.level])

    def normal(self, *_: object) -> Tensor:
        """The noise."""
        return torch.from_numpy(self.sight.noise)


@torch.no_grad()
def loss(seed: int) -> float:
    """The loss of a frame with the noise and the level that the peer's has."""
    batch, dice = frame(seed), Given(seed)
    condition = State.policy.model.encode(batch.inputs)
    head: Any = State.policy.model.head
    return float(head.errors(condition, batch.actions, batch.is_pad, dice).mean())


def frame(seed: int) -> Batch:
    """A batch of one frame."""
    given = sight(seed)
    pictures = {f"image_{name}": one for name, one in zip(CAMERAS, given.frames, strict=True)}
    inputs: Inputs = State.policy.inputs(
        [{**pictures, "state": given.state, "instruction": SENTENCE}]
    )
    return Batch(
        inputs=inputs,
        actions=torch.from_numpy(given.chunk),
        is_pad=torch.zeros(1, CHUNK, dtype=torch.bool),
        future=torch.zeros(1, 0, STATES),
    )


def one_of_each(name: str) -> dict[str, Any]:
    """Builds a preset with random weights, plans once and takes one LoRA step.

    Returns:
        Weights, seconds of the processor for both, the loss, and the most memory [MB].
    """
    torch.set_num_threads(1)
    config = preset(name)
    interface = sights(name)
    policy = random_policy(replace(config.model), interface)
    (observation,) = seen(interface, 1)
    forget_peak()
    began = process_time()
    chunk = policy.plan(observation)
    planned = process_time()
    rank, alpha = config.lora_rank or 8, config.lora_alpha
    loss = lora_step(policy, torch.device("cpu"), rank=rank, alpha=alpha, half=False, count=1)
    return {
        "weights": policy.parameters,
        "plan_s": planned - began,
        "step_s": process_time() - planned,
        "finite": bool(np.isfinite(chunk).all() and np.isfinite(loss)),
        "peak_gb": peak_mb() / 1e3,
    }


def sights(name: str) -> Interface:
    """What a preset looks at here: two cameras in the size that it is made for, or one."""
    if name in ("s", "b", "h"):
        return franka_interface(CAMERAS)
    if name == "nano-1cam":
        return franka_interface(CAMERAS[:1], height=480, width=480)
    return franka_interface(CAMERAS, height=96, width=96)


if __name__ == "__main__":
    serve(
        {
            "versions": lambda: versions("tinyvla-gym", "torch", "transformers", "peft"),
            "read": read,
            "adapt": adapt,
            "loss": loss,
            "learn": learn,
            "one_of_each": one_of_each,
        }
    )
