"""Ours: TinyVLA with the weights that the released code has drawn, on torch or ONNX Runtime."""

from pathlib import Path
from time import process_time
from typing import Any

import torch

from benchmarks.lines import serve
from benchmarks.subjects.inputs import SENTENCE, sight, versions
from tinyvla_gym.policies.onnx.policy import OnnxPolicy
from tinyvla_gym.policies.policy import Policy
from tinyvla_gym.policies.tinyvla.onnx_export import export_int8
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.policies.tinyvla.released.franka import franka_interface
from tinyvla_gym.policies.tinyvla.released.importer import import_run

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


if __name__ == "__main__":
    serve(
        {
            "versions": lambda: versions("tinyvla-gym", "torch", "transformers", "onnxruntime"),
            "read": read,
            "export": export,
            "plan": plan,
        }
    )
