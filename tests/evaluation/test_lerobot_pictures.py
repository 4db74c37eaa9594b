"""What the protocol ``lerobot`` shows is, pixel by pixel, what the real LeRobot shows."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tinyvla_gym.evaluation import lerobot_tasks
from tinyvla_gym.evaluation.playing import Shard, make_shard_env
from tinyvla_gym.evaluation.protocols import named_protocol
from tinyvla_gym.evaluation.suites import TIERS, suite_tasks
from tinyvla_gym.evaluation.told import read_sentences

ROOT = Path(__file__).parents[2]
PEER = ROOT / ".venv-peers" / "lerobot"
PYTHON = PEER / "bin" / "python"
TASKS = ("drawer-open", "push", "assembly")
MODEL = ("body_pos", "body_quat", "site_pos", "geom_pos")
DATA = ("qpos", "qvel", "mocap_pos", "mocap_quat", "site_xpos")

pytestmark = pytest.mark.skipif(
    not list(PEER.glob("lib/*/site-packages/metaworld")),
    reason="the real LeRobot with MetaWorld is not installed: make peers",
)


@pytest.mark.slow  # draws three scenes, twice, with shadows
def test_the_picture_is_lerobots(tmp_path) -> None:
    worlds, ours = {"tasks": np.array(TASKS)}, {}
    for task in TASKS:
        protocol = named_protocol("lerobot", suite=f"mt1:{task}", sentences={task: "x"})
        [env_id] = suite_tasks(protocol.suite).values()
        shard = Shard(
            policy="clueless",
            task=task,
            env_id=env_id,
            protocol=protocol,
            first=0,
            episodes=1,
            any_profile=False,
        )
        env = make_shard_env(shard, {})
        env.reset(seed=1_000_003)
        for _ in range(7):
            observation, *_, info = env.step(np.float32([0.3, 0.5, -0.4, 1.0]))
        sim = env.unwrapped._sim
        worlds |= {f"{task}/{name}": getattr(sim.model, name).copy() for name in MODEL}
        worlds |= {f"{task}/{name}": getattr(sim.data, name).copy() for name in DATA}
        worlds[f"{task}/privileged"] = info["privileged"]
        ours[task] = observation
    np.savez(tmp_path / "worlds.npz", **worlds)

    subprocess.run(
        [PYTHON, ROOT / "tests/peers/lerobot_pictures.py", tmp_path / "worlds.npz", tmp_path / "p"],
        check=True,
        env={**os.environ, "PYTHONPATH": ""},
    )

    theirs = np.load(tmp_path / "p.npz")
    for task in TASKS:
        pixels = theirs[f"{task}/pixels"]
        assert pixels.std() > 10  # a scene, not a blank
        np.testing.assert_array_equal(ours[task]["image_corner2_moved"], pixels)
        np.testing.assert_allclose(ours[task]["state"], theirs[f"{task}/agent_pos"], atol=1e-6)


def test_its_sentences_are_read_from_the_installation() -> None:
    [packages] = PEER.glob("lib/*/site-packages")

    sentences = read_sentences(packages)

    assert set(sentences) == {task for tasks in TIERS.values() for task in tasks}
    assert sentences["push"] == sentences["push-back"]  # 49 strings for 50 tasks


def test_every_sentence_of_its_datasets_is_known_by_the_tasks_that_it_names() -> None:
    [packages] = PEER.glob("lib/*/site-packages")
    sentences = read_sentences(packages)

    for text in sentences.values():
        named = {task for task, other in sentences.items() if other == text}
        assert set(lerobot_tasks.tasks_named_by(text)) == named
    assert {task for tasks in lerobot_tasks.TASKS.values() for task in tasks} == set(sentences)
