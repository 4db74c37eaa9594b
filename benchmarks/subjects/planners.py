"""Ours: TinyVLA with the weights that the released code has drawn, on torch or ONNX Runtime."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from time import process_time
from typing import Any

import torch

from benchmarks.lines import serve
from benchmarks.subjects.inputs import ACTIONS, SENTENCE, sight, versions
from tinyvla_gym.policies.onnx.policy import OnnxPolicy
from tinyvla_gym.policies.policy import Policy
from tinyvla_gym.policies.tinyvla.config import HEADS
from tinyvla_gym.policies.tinyvla.heads.head import Head
from tinyvla_gym.policies.tinyvla.onnx_export import export_int8
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.policies.tinyvla.released.franka import franka_interface
from tinyvla_gym.policies.tinyvla.released.importer import import_run
from tinyvla_gym.training.presets import preset

CAMERAS = ("left", "right")
POLICIES: dict[str, Policy] = {}


def read(folder: str, words: str) -> int:
    """Imports a released run; returns how many weights it has."""
    torch.set_num_threads(1)
    policy = import_run(
        Path(folder), franka_interface(CAMERAS), tokenizer=words, prompt="evaluation"
    )
    POLICIES["torch"] = policy
    return policy.parameters


def export(folder: str) -> None:
    """Writes what was read as a graph of 8-bit weights, and opens that."""
    policy = POLICIES["torch"]
    assert isinstance(policy, TinyVLAPolicy)
    export_int8(policy, Path(folder))
    POLICIES["int8"] = OnnxPolicy.from_pretrained(folder)


def plan(form: str, seed: int) -> dict[str, Any]:
    """Plans once, from camera frames to physical actions; what it takes, and the chunk."""
    seen = sight(seed)
    pictures = {f"image_{name}": frame for name, frame in zip(CAMERAS, seen.frames, strict=True)}
    observation = {**pictures, "state": seen.state, "instruction": SENTENCE}
    began = process_time()
    (chunk,) = POLICIES[form].plan_batch([observation], noise=seen.noise)
    return {"seconds": process_time() - began, "chunk": chunk.tolist()}


@cache
def head_named(kind: str) -> Head:
    """A head of the published width with random weights."""
    torch.manual_seed(0)
    return HEADS[kind].from_config(replace(preset("s").model, head=kind), ACTIONS, 512).eval()


@torch.no_grad()
def head(kind: str, plans: int) -> dict[str, Any]:
    """Makes chunks from a condition; seconds of one, and how often it asks its U-Net."""
    torch.set_num_threads(1)
    made = head_named(kind)
    denoiser: Any = made.denoiser
    asked = 0

    def count(*_: object) -> None:
        nonlocal asked
        asked += 1

    seen = denoiser.register_forward_hook(count)
    condition, noise = torch.randn(1, 512), torch.from_numpy(sight(0).noise)
    began = process_time()
    for _ in range(plans):
        made.sample(condition, noise)
    seconds = (process_time() - began) / plans
    seen.remove()
    return {"seconds": seconds, "evaluations": asked / plans}


if __name__ == "__main__":
    serve(
        {
            "versions": lambda: versions("tinyvla-gym", "torch", "transformers", "onnxruntime"),
            "read": read,
            "export": export,
            "plan": plan,
            "head": head,
        }
    )
