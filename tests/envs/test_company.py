"""Pictures are the same whoever else draws in the process, and nobody else is disturbed."""

import gc
import json
import subprocess
import sys

import numpy as np
import pytest
from gymnasium.envs.mujoco.mujoco_rendering import MujocoRenderer

from tinyvla_gym.envs.metaworld import MetaWorldEnv

EIGHT = [  # task, profile, cameras, randomize
    ("drawer-open", "parity-1", {"corner4": 48, "topview": [30, 64]}, None),
    ("drawer-open", "fast-1", {"corner4_close": 96}, None),
    ("drawer-open", "fast-1", {"corner": 40, "gripperPOV": 64}, "all"),
    ("drawer-close", "fast-2", {"corner2": 84}, None),
    ("stick-pull", "fast-1", {"corner4": 48, "behindGripper": 200}, None),
    ("stick-push", "fast-2", {"corner4": 48, "corner3": 64}, {"table": True}),
    ("shelf-place", "parity-1", {"corner_close": 32}, "light"),
    ("plate-slide", "fast-2", {"gripperPOV": 64}, "distractors"),
]
TICKS = 2

ALONE = """
import json, sys
import numpy as np
from tinyvla_gym.envs.metaworld import MetaWorldEnv

task, profile, cameras, randomize = json.loads(sys.argv[1])
env = MetaWorldEnv(task=task, profile=profile, cameras=cameras, randomize=randomize)
env.reset(seed=5)
seen = []
for _ in range(int(sys.argv[2])):
    env.advance(env.expert_action())
    seen.append(env.observe())
np.savez(sys.argv[3], **{name: [o[name] for o in seen] for name in seen[0] if "image" in name})
"""


def alone(number: int, place) -> dict[str, np.ndarray]:
    """What one of the eight sees in a process of its own."""
    path = place / f"{number}.npz"
    command = [sys.executable, "-c", ALONE, json.dumps(EIGHT[number]), str(TICKS), str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(np.load(path))


def a_stranger(env: MetaWorldEnv) -> MujocoRenderer:
    """Gymnasium's own viewer of an env, which leaves its OpenGL context current."""
    return MujocoRenderer(env._sim.model, env._sim.data, width=30, height=30, camera_id=0)


@pytest.mark.slow
def test_eight_envs_in_one_process_see_what_each_sees_alone(tmp_path) -> None:
    wanted = [alone(number, tmp_path) for number in range(len(EIGHT))]
    rng = np.random.default_rng(0)
    envs = [
        MetaWorldEnv(task=task, profile=profile, cameras=cameras, randomize=randomize)
        for task, profile, cameras, randomize in EIGHT
    ]
    for number in rng.permutation(len(envs)):
        envs[number].reset(seed=5)

    for tick in range(TICKS):
        for number in rng.permutation(len(envs)):
            stranger = a_stranger(envs[rng.integers(len(envs))])
            stranger.render("rgb_array")
            envs[number].advance(envs[number].expert_action())
            for name, picture in envs[number].observe().items():
                if name.startswith("image"):
                    np.testing.assert_array_equal(picture, wanted[number][name][tick])
            stranger.close()


def test_a_stranger_that_is_collected_frees_nothing_of_ours() -> None:
    env = MetaWorldEnv(task="reach", cameras={"corner4": 40})
    before, _ = env.reset(seed=0)

    for _ in range(3):
        stranger = a_stranger(env)
        stranger.render("rgb_array")
        env.observe()
        stranger.close()
        del stranger
        gc.collect()

    np.testing.assert_array_equal(env.observe()["image_corner4"], before["image_corner4"])


def test_a_stranger_draws_what_it_drew_before_we_did() -> None:
    env = MetaWorldEnv(task="reach", cameras={"corner4": 40})
    env.reset(seed=0)
    stranger = a_stranger(env)
    before = np.array(stranger.render("rgb_array"))

    env.observe()

    np.testing.assert_array_equal(stranger.render("rgb_array"), before)
    stranger.close()
