"""Looks follow from the seed, are told, and change nothing but pictures."""

import json
import subprocess
import sys
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

import tinyvla_gym
from tinyvla_gym.envs.metaworld import MetaWorldEnv
from tinyvla_gym.envs.randomization import PRESETS, Randomization, randomization
from tinyvla_gym.errors import ConfigError, UnknownNameError

gym.register_envs(tinyvla_gym)

CAMERAS = {"corner4": 64, "gripperPOV": 48}

IN_ANOTHER_PROCESS = """
import sys
import numpy as np
from tinyvla_gym.envs.metaworld import MetaWorldEnv

env = MetaWorldEnv(task="push", cameras={"corner4": 64, "gripperPOV": 48}, randomize="all")
env.reset(seed=1)
seen, _ = env.reset(seed=7)
np.savez(sys.argv[1], **{name: seen[name] for name in seen if "image" in name})
"""


def first_look(randomize, seed=7, task="push", **settings):
    env = MetaWorldEnv(task=task, cameras=CAMERAS, randomize=randomize, **settings)
    return env.reset(seed=seed)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_changes_the_pictures_and_says_how(name: str) -> None:
    plain, nothing = first_look(None)

    seen, told = first_look(name)
    other, _ = first_look(name, seed=8)

    assert (seen["image_corner4"] != plain["image_corner4"]).any()
    assert (seen["image_corner4"] != other["image_corner4"]).any()
    assert "randomization" not in nothing
    drawn = json.loads(json.dumps(told["randomization"]))
    assert bool(drawn["light"]) is PRESETS[name].light
    assert bool(drawn["table"]) is PRESETS[name].table
    assert bool(drawn["cameras"]) is (PRESETS[name].camera_m > 0)
    assert len(drawn["distractors"]) == PRESETS[name].distractors


def test_nothing_to_randomise_shows_the_plain_scene() -> None:
    plain, _ = first_look(None)

    seen, _ = first_look(Randomization())

    for name in plain:
        np.testing.assert_array_equal(seen[name], plain[name])


def test_the_same_seed_looks_the_same_in_another_process(tmp_path) -> None:
    here, _ = first_look("all")

    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(tmp_path / "there.npz")]
    subprocess.run(command, check=True)

    with np.load(tmp_path / "there.npz") as there:
        assert set(there) == {"image_corner4", "image_gripperPOV"}
        for name, picture in there.items():
            np.testing.assert_array_equal(here[name], picture)


def test_physics_state_reward_and_success_stay_as_they_are() -> None:
    plain = MetaWorldEnv(task="plate-slide", cameras={})
    varied = MetaWorldEnv(task="plate-slide", cameras={"corner4": 24}, randomize="all")
    seen, told = plain.reset(seed=3), varied.reset(seed=3)

    solved = over = False
    while not over:
        (before, _), (there, _) = seen, told
        np.testing.assert_array_equal(before["state"], there["state"])
        assert before["instruction"] == there["instruction"]
        action = plain.expert_action()
        *seen, reward, ended, cut, info = plain.step(action)
        *told, reward_2, ended_2, cut_2, info_2 = varied.step(action)
        seen, told = (*seen, info), (*told, info_2)
        assert (reward, ended, cut) == (reward_2, ended_2, cut_2)
        assert info["success"] == info_2["success"]
        np.testing.assert_array_equal(info["privileged"], info_2["privileged"])
        solved, over = info["success"], ended or cut
    assert solved


def test_one_part_does_not_change_what_another_draws() -> None:
    _, all_of_it = first_look("all")
    _, light_only = first_look("light")
    _, more_cameras = first_look("all", render_camera="topview")

    whole, shifts = all_of_it["randomization"], more_cameras["randomization"]["cameras"]
    assert whole["light"] == light_only["randomization"]["light"]
    assert all(shifts[name] == whole["cameras"][name] for name in CAMERAS)


def test_a_moved_camera_keeps_within_its_bounds() -> None:
    wish = Randomization(camera_m=0.05, camera_deg=4.0)
    env = MetaWorldEnv(task="push", cameras={"corner": 16}, randomize=wish)

    for seed in range(20):
        _, told = env.reset(seed=seed)
        for shift in told["randomization"]["cameras"].values():
            assert np.abs(shift["offset_m"]).max() <= 0.05
            assert np.abs(shift["turn_deg"]).max() <= 4.0


@pytest.mark.parametrize(
    "wish", ["light", {"light": True}, Randomization(light=True)], ids=["name", "dict", "fields"]
)
def test_gym_make_takes_a_name_a_mapping_or_the_fields(wish) -> None:
    env = gym.make("TinyVLA/MetaWorld-push-v3", cameras={}, randomize=wish)

    assert env.unwrapped.randomization == Randomization(light=True)


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [
        ("lihgt", r"no randomization 'lihgt'\. Did you mean 'light'"),
        ({"ligth": True}, r"no randomization of 'ligth'\. Did you mean 'light'"),
    ],
)
def test_a_typo_is_named(wish, complaint: str) -> None:
    with pytest.raises(UnknownNameError, match=complaint):
        randomization(wish)


@pytest.mark.parametrize(
    "field",
    [
        {"camera_m": -0.1},
        {"camera_m": float("nan")},
        {"camera_deg": 91},
        {"distractors": 21},
        {"distractors": -1},
        {"distractors": 1.5},
    ],
)
def test_a_field_out_of_range_is_named(field) -> None:
    (name,) = field

    with pytest.raises(ConfigError, match=rf"{name} must be .* got "):
        replace(PRESETS["all"], **field)
