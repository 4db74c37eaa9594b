"""From demonstrations in large pictures to an evaluation in large pictures, by a model that looks
at small ones."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fake_evaluations import HereCrew

from tinyvla_gym.data.cache import open_cache
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.data.places import ROOT_VARIABLE
from tinyvla_gym.demonstrations import Plan, collect
from tinyvla_gym.envs.registration import metaworld_id
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.evaluation import evaluate as evaluation
from tinyvla_gym.evaluation.evaluate import evaluate
from tinyvla_gym.evaluation.protocols import named_protocol
from tinyvla_gym.look import Look
from tinyvla_gym.policies.load import load_policy
from tinyvla_gym.policies.normalize import Normalizer
from tinyvla_gym.policies.tinyvla.config import build
from tinyvla_gym.policies.tinyvla.onnx_export import export_onnx
from tinyvla_gym.training.batches import Batches
from tinyvla_gym.training.dataset import train_on_dataset
from tinyvla_gym.training.presets import preset

CAMERA, SIZE_PX = "corner2_moved", 64
LOOK = Look(px=16, middle_px=48)
TINY = preset("tiny")
OPTIONS = {**TINY.model.backbone_options, "look_px": LOOK.px, "look_middle_px": LOOK.middle_px}
SETTINGS = replace(
    TINY,
    model=replace(TINY.model, backbone_options=OPTIONS, head="regression"),
    steps=6,
    warmup_steps=2,
    batch_size=8,
    log_every=2,
    save_every=4,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two episodes of one task, drawn as the protocol's camera is."""
    folder = tmp_path_factory.mktemp("one") / "data"
    plan = Plan(episodes=2, linger=0, noisy_frac=0.0, progress_frac=0.0)
    options = {"cameras": {CAMERA: SIZE_PX}, "profile": "fast-2"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ROOT_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        collect([metaworld_id("drawer-close")], folder, plan, env_options=options)
        yield folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    run = tmp_path_factory.mktemp("run") / "run"
    train_on_dataset(data, run, SETTINGS, name="one eye")
    return load_policy(str(run / "checkpoint"))


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("graph") / "exported"
    export_onnx(trained, folder)
    return folder


def test_batches_are_those_of_whole_pictures_reduced_afterwards(data) -> None:
    """And what is shifted and recoloured is what was reduced."""
    small, whole = open_cache(data, look=LOOK), open_cache(data)
    after = replace(whole, images={CAMERA: LOOK.reduce(whole.images[CAMERA])})
    interface = Dataset(data).interface
    model = build(SETTINGS.model, interface)
    statistics = Normalizer.from_data(interface.state, whole.state, interface.action, whole.action)
    still = replace(SETTINGS, shift_px=0, jitter=0.0)

    def batch(frames, config, step):
        return Batches(frames, [CAMERA], statistics, model, config).at(step)

    for step in range(3):
        ours, theirs = (batch(frames, SETTINGS, step) for frames in (small, after))
        assert torch.equal(ours.inputs.images[0], theirs.inputs.images[0])
        assert torch.equal(ours.actions, theirs.actions)
        ours, theirs = (batch(frames, still, step) for frames in (small, whole))
        reduced = LOOK.reduce(theirs.inputs.images[0].numpy())
        np.testing.assert_array_equal(ours.inputs.images[0], reduced)


def test_the_policy_says_that_it_sees_what_the_protocol_shows(trained) -> None:
    [camera] = trained.spec.interface.cameras

    assert (camera.name, camera.height, camera.width) == (CAMERA, SIZE_PX, SIZE_PX)
    assert trained.spec.env_options["cameras"] == {CAMERA: [SIZE_PX, SIZE_PX]}


@pytest.mark.slow  # exports a graph
def test_it_plays_under_the_protocol_and_its_graph_plans_the_same(
    data, trained, exported, monkeypatch
) -> None:
    monkeypatch.setattr(evaluation, "ProcessCrew", HereCrew)
    named = named_protocol(
        "lerobot", suite="mt1:drawer-close", sentences={"drawer-close": "shut it"}
    )
    protocol = replace(
        named,
        cameras={CAMERA: SIZE_PX},
        profile="fast-2",
        horizon=9,
        episodes=1,
        parallel=1,
    )

    results = evaluate(f"onnx:{exported}", protocol)

    [outcome] = results.tasks["drawer-close"].outcomes
    assert (outcome.steps, outcome.instruction) == (9, "shut it")
    seen = [Dataset(data).tick(0, step).observation for step in (0, 9)]
    plans = [policy.plan_batch(seen) for policy in (trained, load_policy(f"onnx:{exported}"))]
    np.testing.assert_allclose(*plans, rtol=0, atol=1e-5)


def test_pictures_that_cannot_be_reduced_so_are_refused_and_no_run_begun(data, tmp_path) -> None:
    options = {**OPTIONS, "look_px": 15}
    config = replace(SETTINGS, model=replace(SETTINGS.model, backbone_options=options))

    with pytest.raises(ConfigError, match=r"48 x 48 px, looked at of .* 64 x 64 px"):
        train_on_dataset(data, tmp_path / "run", config, name="one eye")

    assert not (tmp_path / "run").exists()
