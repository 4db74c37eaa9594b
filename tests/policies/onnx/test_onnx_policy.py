"""Tests for policies/onnx/policy.py and policies/tinyvla/onnx_{export,weights}.py."""

import json
import logging
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from fakes import ScriptedEnv, an_observation
from tiny_heads import ACTIONS, CONDITION, HORIZON, a_head
from tiny_models import CONFIG, LLAVA, a_policy
from torch import nn

from tinyvla_gym import RecedingHorizon, rollout
from tinyvla_gym.contracts import check_policy
from tinyvla_gym.errors import CheckpointError, ConfigError
from tinyvla_gym.look import Look
from tinyvla_gym.policies.checkpoint import fingerprint
from tinyvla_gym.policies.load import load_policy
from tinyvla_gym.policies.onnx.policy import OnnxPolicy
from tinyvla_gym.policies.tinyvla.nano import reduced
from tinyvla_gym.policies.tinyvla.onnx_export import OPSET, export_int8, export_onnx
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy

SENTENCES = ("touch the dot", "", "stop there, then go on to the other dot and touch it")
SEEN = [
    an_observation(x_m=x, instruction=s) for x, s in zip((-0.5, 0, 0.9), SENTENCES, strict=True)
]
NOISE = np.random.default_rng(0).standard_normal((3, 8, 2), np.float32)


def few_steps(steps):
    return a_policy(config=replace(CONFIG, sample_steps=steps), facts={"seed": 7})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights as float16, and a graph that reads them."""
    folder = tmp_path_factory.mktemp("onnx") / "exported"
    export_onnx(few_steps(2), folder, half=True, card="# a card")
    return folder


@pytest.fixture(scope="module")
def original(folder):
    return load_policy(folder)


@pytest.fixture(scope="module")
def exported(folder):
    return load_policy(f"onnx:{folder}")


def test_either_form_can_be_asked_for(original, exported) -> None:
    assert isinstance(original, TinyVLAPolicy)
    assert isinstance(exported, OnnxPolicy)


def test_it_plans_what_the_original_plans_alone_and_in_batches(original, exported) -> None:
    for rows in ([0], [1], [2], [0, 1, 2]):
        seen = [SEEN[row] for row in rows]
        got, wanted = (p.plan_batch(seen, noise=NOISE[rows]) for p in (exported, original))

        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


def test_it_keeps_every_promise_of_a_policy(exported, original) -> None:
    check_policy(exported)
    assert exported.spec == original.spec


def test_it_draws_the_noise_that_the_original_draws(original, exported) -> None:
    plans = []
    for policy in (original, exported):
        policy.reset(seed=3)
        plans.append(policy.plan(SEEN[0]))

    np.testing.assert_allclose(*plans, rtol=0, atol=1e-5)


def way(policy, seed):
    """Success, number of steps, and the last place of an episode."""
    env = ScriptedEnv()
    env.profile = SimpleNamespace(name=policy.spec.profile)
    outcome = rollout(env, RecedingHorizon(policy), seed=seed)
    return (outcome.success, outcome.steps), env.place_m


def test_episodes_go_the_same_way(original, exported) -> None:
    for seed in range(5):
        wanted, got = way(original, seed), way(exported, seed)
        assert got[0] == wanted[0]
        np.testing.assert_allclose(got[1], wanted[1], rtol=0, atol=1e-3)


def test_the_folder_is_a_checkpoint_with_a_graph(folder, original, tmp_path) -> None:
    original.save_pretrained(tmp_path / "plain", half=True)

    names = sorted(path.name for path in folder.iterdir())
    assert names == ["README.md", "config.json", "model.onnx", "model.safetensors"]
    assert json.loads((folder / "config.json").read_text())["facts"] == {"seed": 7}
    assert fingerprint(folder) == fingerprint(tmp_path / "plain")


def test_an_export_leaves_loggers_as_they_were(folder) -> None:
    assert (folder / "model.onnx").is_file()
    assert logging.getLogger("torch.onnx").level == logging.NOTSET


def test_weights_are_not_kept_twice(folder) -> None:
    graph = onnx.load(folder / "model.onnx", load_external_data=False).graph
    held = [one for one in graph.initializer if not one.external_data]
    weights = [one.name for one in held if one.name.startswith("model.") and len(one.dims) > 1]

    assert weights == []
    assert sum(one.ByteSize() for one in held) < 20_000
    assert sum(one.data_type == onnx.TensorProto.FLOAT16 for one in graph.initializer) > 100


def a_llava(sample_steps=2, **changes):
    return a_policy(config=replace(LLAVA, sample_steps=sample_steps, **changes))


@pytest.mark.slow
@pytest.mark.parametrize(("export", "sample_steps"), [(export_onnx, 2), (export_int8, 1)])
def test_the_released_architecture_reads_prompts_and_pictures_without_torch(
    export, sample_steps, tmp_path
) -> None:
    original = a_llava(sample_steps, coarse_levels=True)  # as released runs are

    export(original, tmp_path / "graph")

    exported = load_policy(f"onnx:{tmp_path / 'graph'}")
    closeness = 1e-4 if export is export_onnx else 0.1
    for rows in ([1], [0, 1, 2]):
        seen = [SEEN[row] for row in rows]
        got, wanted = (p.plan_batch(seen, noise=NOISE[rows]) for p in (exported, original))
        np.testing.assert_allclose(got, wanted, rtol=0, atol=closeness)


def test_a_graph_cannot_stretch_pictures_plainly(tmp_path) -> None:
    options = {**LLAVA.backbone_options, "picture_path": "plain"}

    with pytest.raises(ConfigError, match="takes pictures of 32 x 32 px only"):
        export_onnx(a_llava(backbone_options=options), tmp_path / "exported")


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


@pytest.fixture(scope="module")
def rounded_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "rounded"
    export_int8(few_steps(1), folder)
    return folder


@pytest.mark.slow
def test_rounded_weights_are_smaller_and_plan_nearly_the_same(rounded_folder) -> None:
    whole, rounded = few_steps(1), load_policy(rounded_folder)

    wanted = whole.plan_batch(SEEN, noise=NOISE)
    np.testing.assert_allclose(rounded.plan_batch(SEEN, noise=NOISE), wanted, atol=0.1)
    graph = onnx.load(rounded_folder / "model.onnx").graph
    int8 = [one for one in graph.initializer if one.data_type == onnx.TensorProto.INT8]
    weights = [onnx.numpy_helper.to_array(one) for one in int8 if one.dims]
    assert weights
    assert max(abs(one.astype(int)).max() for one in weights) <= 64  # no processor overflows
    assert json.loads((rounded_folder / "config.json").read_text())["facts"]["int8"]


@pytest.mark.slow
def test_episodes_with_rounded_weights_go_nearly_the_same_way(rounded_folder) -> None:
    whole, rounded = few_steps(1), load_policy(rounded_folder)

    wanted, got = ([way(policy, seed) for seed in range(5)] for policy in (whole, rounded))

    assert [end for end, _ in got] == [end for end, _ in wanted]
    places, near = ([place for _, place in ways] for ways in (wanted, got))
    np.testing.assert_allclose(near, places, rtol=0, atol=0.1)
    assert np.ptp(places) > 0.3  # other episodes go elsewhere


class Sampling(nn.Module):
    """A head alone."""

    def __init__(self, head):
        super().__init__()
        self.head = head

    def forward(self, condition, noise):
        return self.head.sample(condition, noise)


slow = pytest.mark.slow
OTHER_HEADS = [
    *("regression", "act"),
    *(pytest.param(name, marks=slow) for name in ("flow", "one_step", "tokens")),
]


@torch.no_grad()
@pytest.mark.filterwarnings("ignore")  # the exporter's own affairs
@pytest.mark.parametrize("name", OTHER_HEADS)
def test_a_graph_holds_every_other_head(name, tmp_path) -> None:
    head = a_head(name, sample_steps=2).eval()
    condition, noise = torch.randn(3, CONDITION), torch.randn(3, HORIZON, ACTIONS)
    rows = {0: torch.export.Dim("rows", min=1, max=4096)}
    graph = torch.onnx.export(
        Sampling(head),
        (condition, noise),
        dynamo=True,
        verbose=False,
        opset_version=OPSET,
        input_names=["condition", "noise"],
        dynamic_shapes=(rows, rows),
    )
    graph.save(tmp_path / "graph.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "graph.onnx")

    for count in (1, 3):
        given = {"condition": condition[:count].numpy(), "noise": noise[:count].numpy()}
        [got] = session.run(None, {one.name: given[one.name] for one in session.get_inputs()})

        wanted = head.sample(condition[:count], noise[:count]).numpy()
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES = {
    "graph cut": (lambda folder: cut(folder / "model.onnx"), r"model\.onnx or .* is damaged"),
    "graph gone": (lambda folder: (folder / "model.onnx").unlink(), "no model.onnx.\nWhere torch"),
    "weights cut": (lambda folder: cut(folder / "model.safetensors"), r"model\.safetensors"),
    "weights gone": (lambda folder: (folder / "model.safetensors").unlink(), "it has no model.saf"),
    "other weights": (
        lambda folder: (
            few_steps(2).save_pretrained(folder / "new", half=False)
            or (folder / "new" / "model.safetensors").replace(folder / "model.safetensors")
        ),
        "made for other weights",
    ),
    "config": (
        lambda folder: (folder / "config.json").write_text(
            (folder / "config.json").read_text().replace('"noise_shape"', '"nose_shape"')
        ),
        "config.json does not fit",
    ),
}


@pytest.mark.parametrize(("spoil", "complaint"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_folder_is_named(spoil, complaint, folder, tmp_path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    spoil(copy)

    with pytest.raises(CheckpointError, match=complaint):
        OnnxPolicy.from_pretrained(copy)


def test_a_scheduler_that_a_graph_cannot_hold_is_refused(tmp_path) -> None:
    config = replace(CONFIG, head_options={"scheduler": "DDPMScheduler"})

    with pytest.raises(ConfigError, match="only sample by DDIMScheduler, not DDPMScheduler"):
        export_onnx(a_policy(config=config), tmp_path / "exported")
    assert not (tmp_path / "exported").exists()


class Reduction(nn.Module):
    """Nothing but what a backbone makes of a picture before it looks."""

    look = Look(px=2, middle_px=6)

    def forward(self, image):
        return reduced(image, self.look)


@pytest.mark.filterwarnings("ignore")  # the exporter's own affairs
def test_a_graph_reduces_pictures_to_the_same_bits(tmp_path) -> None:
    """All sums of nine grey levels, and a border that is not looked at."""
    sums = np.arange(255 * 9 + 1)
    squares = sums[:, None] // 9 + (np.arange(9) < sums[:, None] % 9)  # (sums, 9)
    middle = np.tile(squares.reshape(-1, 3, 3, 1), (1, 2, 2, 3)).astype(np.uint8)
    pictures = np.pad(middle, ((0, 0), (1, 1), (2, 2), (0, 0)), constant_values=77)
    rows = {0: torch.export.Dim("rows", min=1, max=4096)}
    graph = torch.onnx.export(
        Reduction().eval(),
        (torch.from_numpy(pictures[:3]),),
        dynamo=True,
        verbose=False,
        opset_version=OPSET,
        dynamic_shapes=(rows,),
    )
    graph.save(tmp_path / "graph.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "graph.onnx")

    [levels] = session.run(None, {session.get_inputs()[0].name: pictures})

    wanted = Reduction.look.reduce(pictures)
    np.testing.assert_array_equal(levels.transpose(0, 2, 3, 1), wanted)
    np.testing.assert_array_equal(wanted[:, 1, 1, 0], (2 * sums + 9) // 18)
