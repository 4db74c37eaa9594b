"""Tests for policies/onnx/policy.py and policies/tinyvla/onnx_export.py."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import an_observation
from reach_checkpoint import save_checkpoint
from tiny_models import CONFIG, a_policy

from tinyvla_gym import RecedingHorizon, rollout
from tinyvla_gym.contracts import check_policy
from tinyvla_gym.envs.reach import ReachEnv
from tinyvla_gym.errors import CheckpointError, ConfigError
from tinyvla_gym.policies.load import load_policy
from tinyvla_gym.policies.onnx.policy import OnnxPolicy
from tinyvla_gym.policies.tinyvla.onnx_export import export_onnx

SENTENCES = ("touch the dot", "", "stop there, then go on to the other dot and touch it")
SEEN = [
    an_observation(x_m=x, instruction=s) for x, s in zip((-0.5, 0, 0.9), SENTENCES, strict=True)
]
NOISE = np.random.default_rng(0).standard_normal((3, 8, 2), np.float32)
FEW_STEPS = replace(CONFIG, sample_steps=2)


@pytest.fixture(scope="module")
def original():
    return a_policy(config=FEW_STEPS, facts={"seed": 7})


@pytest.fixture(scope="module")
def folder(original, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "exported"
    export_onnx(original, folder)
    return folder


@pytest.fixture(scope="module")
def exported(folder):
    return load_policy(folder)


def test_it_plans_what_the_original_plans_alone_and_in_batches(original, exported) -> None:
    for rows in ([0], [1], [2], [0, 1, 2]):
        seen = [SEEN[row] for row in rows]
        got, wanted = (p.plan_batch(seen, noise=NOISE[rows]) for p in (exported, original))

        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4)


def test_it_keeps_every_promise_of_a_policy(exported, original) -> None:
    check_policy(exported)
    assert exported.spec == original.spec


def test_it_draws_the_noise_that_the_original_draws(original, exported) -> None:
    plans = []
    for policy in (original, exported):
        policy.reset(seed=3)
        plans.append(policy.plan(SEEN[0]))

    np.testing.assert_allclose(*plans, rtol=0, atol=1e-4)


def test_the_folder_says_where_it_comes_from(folder) -> None:
    written = json.loads((folder / "config.json").read_text())

    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.onnx"]
    assert written["kind"] == "tinyvla-onnx"
    assert written["facts"] == {"seed": 7, "int8": False}


WITHOUT_TORCH = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "diffusers", "safetensors", "onnx", "onnxscript"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[2])
from fakes import an_observation
from tinyvla_gym.policies.load import load_policy
policy = load_policy(sys.argv[1])
policy.reset(seed=3)
print(policy.plan(an_observation(x_m=-0.5, instruction="touch the dot")).sum())
"""


def test_it_needs_no_torch(folder, exported) -> None:
    tests = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", WITHOUT_TORCH, str(folder), tests]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    exported.reset(seed=3)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(exported.plan(SEEN[0]).sum(), abs=1e-4)


def test_episodes_go_the_same_way(tmp_path) -> None:
    original = load_policy(save_checkpoint(tmp_path / "original"))
    with torch.no_grad():  # sampling enlarges the rounding errors of a head that knows nothing
        original.model.head.denoiser.final[-1].weight.mul_(0.3)
    export_onnx(original, tmp_path / "exported")
    exported = load_policy(tmp_path / "exported")

    for seed in range(1_000_000, 1_000_003):
        ways = []
        for policy in (original, exported):
            env = ReachEnv(**policy.spec.env_options)
            outcome = rollout(env, RecedingHorizon(policy), seed=seed)
            ways.append((outcome.success, outcome.steps, env.observe()["state"]))
            env.close()
        assert ways[0][:2] == ways[1][:2]
        np.testing.assert_allclose(ways[0][2], ways[1][2], rtol=0, atol=1e-3)


@pytest.mark.parametrize("spoil", ["cut", "gone", "config"])
def test_a_damaged_folder_is_named(spoil, folder, tmp_path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    graph, config = (folder / "model.onnx").read_bytes(), (folder / "config.json").read_text()
    if spoil != "gone":
        (copy / "model.onnx").write_bytes(graph[: len(graph) // 2] if spoil == "cut" else graph)
    wrong = config.replace('"noise_shape"', '"nose_shape"') if spoil == "config" else config
    (copy / "config.json").write_text(wrong)

    with pytest.raises(CheckpointError, match=r"model\.onnx|config\.json does not fit"):
        OnnxPolicy.from_pretrained(copy)


def test_another_kind_of_checkpoint_is_refused(original, tmp_path) -> None:
    original.save_pretrained(tmp_path / "torch")

    with pytest.raises(CheckpointError, match="it holds a 'tinyvla' policy"):
        OnnxPolicy.from_pretrained(tmp_path / "torch")


def test_a_scheduler_that_a_graph_cannot_hold_is_refused(tmp_path) -> None:
    config = replace(CONFIG, head_options={"scheduler": "DDPMScheduler"})

    with pytest.raises(ConfigError, match="only sample by DDIMScheduler, not DDPMScheduler"):
        export_onnx(a_policy(config=config), tmp_path / "exported")
    assert not (tmp_path / "exported").exists()
