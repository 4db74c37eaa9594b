"""How MetaWorld's episodes begin: seeds, sentences, progress."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from tinyvla_gym.envs.metaworld import HORIZON, PROGRESS_JOINTS, MetaWorldEnv
from tinyvla_gym.envs.sentences import sentences
from tinyvla_gym.errors import ConfigError, InstructionError

STILL = np.zeros(4, np.float32)


def blind(task="reach", **settings):
    """A task without cameras, for all that has nothing to do with pictures."""
    return MetaWorldEnv(task=task, cameras={}, **settings)


def play(env, seed, ticks=HORIZON, **options):
    """Lets the expert play; returns all privileged states, shape (T, 39), and the last info."""
    _, info = env.reset(seed=seed, options=options)
    states = [info["privileged"]]
    for _ in range(ticks):
        _, terminated, truncated, info = env.advance(env.expert_action())
        states.append(info["privileged"])
        if terminated or truncated:
            break
    return np.array(states), info


def test_equal_seeds_give_equal_episodes_whatever_was_played_before() -> None:
    env = blind("push")
    fresh, _ = play(env, seed=5, ticks=40)
    play(env, seed=6, ticks=25)

    again, _ = play(env, seed=5, ticks=40)
    other, _ = play(env, seed=7, ticks=40)

    np.testing.assert_array_equal(fresh, again)
    assert (fresh[0] != other[0]).any()


def test_equal_seeds_give_equal_episodes_in_another_process() -> None:
    script = (
        "import hashlib, numpy as np\n"
        "from tinyvla_gym.envs.metaworld import MetaWorldEnv\n"
        "env = MetaWorldEnv(task='drawer-open', cameras={}, instructions='train')\n"
        "env.reset(seed=12)\n"
        "states = [env.advance(env.expert_action())[3]['privileged'] for _ in range(60)]\n"
        "print(hashlib.sha256(np.array(states).tobytes()).hexdigest(), env.instruction)\n"
    )
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    env = blind("drawer-open", instructions="train")
    env.reset(seed=12)
    states = [env.advance(env.expert_action())[3]["privileged"] for _ in range(60)]

    mine = hashlib.sha256(np.array(states).tobytes()).hexdigest()
    assert other.stdout.strip() == f"{mine} {env.instruction}", other.stderr


def test_resets_without_a_seed_draw_one_that_repeats_the_episode() -> None:
    env = blind()
    seen = []
    for _ in range(5):
        _, info = env.reset()
        seen.append(info["seed"])
        assert 500_000 <= info["seed"] < 1_000_000
    drawn = info["privileged"]

    _, again = env.reset(seed=seen[-1])

    assert len(set(seen)) == 5
    np.testing.assert_array_equal(again["privileged"], drawn)


def test_the_first_unseeded_seed_follows_from_the_last_seed() -> None:
    env, other = blind(), blind()

    for one in (env, other):
        one.reset(seed=1)

    assert env.reset()[1]["seed"] == other.reset()[1]["seed"]


@pytest.mark.parametrize("which", ["default", "train", "heldout"])
def test_sentences_come_from_the_chosen_set_by_the_seed(which) -> None:
    env = blind(instructions=which)

    drawn = [env.reset(seed=seed)[0]["instruction"] for seed in range(30)]

    assert set(drawn) <= set(sentences("reach", which))
    assert len(set(drawn)) >= min(4, len(sentences("reach", which)))
    assert [env.reset(seed=seed)[0]["instruction"] for seed in range(5)] == drawn[:5]


def test_the_set_of_sentences_does_not_change_the_scene() -> None:
    scenes = [blind(instructions=which).reset(seed=4)[1] for which in ("default", "heldout")]

    np.testing.assert_array_equal(scenes[0]["privileged"], scenes[1]["privileged"])


def test_another_sentence_changes_nothing_else() -> None:
    env = blind()
    plain, _ = play(env, seed=2, ticks=10)

    told, info = play(env, seed=2, ticks=10, instruction="dance")

    assert info["instruction"] == "dance"
    np.testing.assert_array_equal(plain, told)


@pytest.mark.parametrize("sentence", ["caf\u00e9", "a\nb", "x" * 257])
def test_sentences_that_the_interface_cannot_carry_are_refused(sentence: str) -> None:
    with pytest.raises(InstructionError):
        blind().reset(seed=0, options={"instruction": sentence})


@pytest.mark.parametrize("task", PROGRESS_JOINTS)
@pytest.mark.parametrize("progress", [0.25, 0.75])
def test_progress_moves_the_drawer_or_window_part_of_the_way(task: str, progress: float) -> None:
    env = blind(task)
    joint, start, goal = PROGRESS_JOINTS[task]
    _, begun = env.reset(seed=8, options={"progress": 1e-9})

    _, info = env.reset(seed=8, options={"progress": progress})

    moved_m = np.linalg.norm(info["privileged"][4:7] - begun["privileged"][4:7])
    assert env._sim.data.joint(joint).qpos == pytest.approx(start + progress * (goal - start))
    assert moved_m == pytest.approx(progress * abs(goal - start), abs=0.005)
    assert not info["success"]


def test_where_a_half_open_window_stands_does_not_tell_which_way_it_should_go() -> None:
    heights_m = {}
    for task in ("window-open", "window-close"):
        env = blind(task)
        half = [env.reset(seed=seed, options={"progress": 0.5})[1] for seed in range(12)]
        heights_m[task] = {round(float(info["privileged"][6]), 3) for info in half}

    assert heights_m["window-open"] == heights_m["window-close"]
    assert len(heights_m["window-open"]) == 2


@pytest.mark.parametrize("task", PROGRESS_JOINTS)
def test_the_expert_finishes_what_was_begun(task: str) -> None:
    env = blind(task)

    _, info = play(env, seed=8, progress=0.5)

    assert info["success"]


def test_the_previous_half_of_the_first_privileged_state_is_that_of_the_reset() -> None:
    env = blind("drawer-open")
    _, before = env.reset(seed=0, options={"progress": 0.5})

    *_, after = env.advance(STILL)

    np.testing.assert_array_equal(after["privileged"][18:36], before["privileged"][:18])


@pytest.mark.parametrize("progress", [1.0, -0.1, float("nan"), "half", None])
def test_progress_outside_zero_to_one_is_refused(progress) -> None:
    with pytest.raises(ConfigError, match=r"progress must be in \[0, 1\)"):
        blind("drawer-open").reset(seed=0, options={"progress": progress})


def test_tasks_without_a_joint_have_no_progress() -> None:
    with pytest.raises(ConfigError, match=r"Only drawer-open, .* start at a progress, not reach"):
        blind("reach").reset(seed=0, options={"progress": 0.5})


def test_unknown_reset_options_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"no reset option \['progres'\]"):
        blind().reset(seed=0, options={"progres": 0.5})
