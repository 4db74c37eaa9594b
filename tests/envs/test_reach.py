import json
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from tinyvla_gym.contracts import check_env
from tinyvla_gym.envs.reach import STEP_M, TEMPLATES, ReachEnv
from tinyvla_gym.errors import ConfigError, UnknownNameError

ACTION_MODES = ("native", "ee")
FROZEN = Path(__file__).parents[1] / "golden" / "kinematic-1.json"


def solved_in_ticks(env, seed):
    env.reset(seed=seed)
    for tick in range(1, env.horizon + 1):
        _, terminated, truncated, info = env.advance(env.expert_action())
        if terminated or truncated:
            return tick if info["success"] else None
    return None


def centre_of(picture, channel):
    """Row and column of the pixels in which one colour stands out."""
    others = [other for other in range(3) if other != channel]
    strong = picture[..., channel].astype(int) - picture[..., others].max(-1) > 90
    return np.argwhere(strong).mean(0)


@pytest.mark.parametrize("mode", ACTION_MODES)
def test_it_keeps_every_promise(mode: str) -> None:
    check_env(ReachEnv(action_mode=mode), skip_render_check=True)


def test_gymnasium_finds_it_by_module_and_id_without_loading_a_simulator() -> None:
    code = (
        "import sys, gymnasium as gym\n"
        "env = gym.make('tinyvla_gym:TinyVLA/Reach-v0')\n"
        "env.reset(seed=0)\n"
        "print([name for name in ('mujoco', 'metaworld', 'torch') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("mode", ACTION_MODES)
def test_the_expert_always_arrives(mode: str) -> None:
    env = ReachEnv(action_mode=mode)

    ticks = [solved_in_ticks(env, seed) for seed in range(50)]

    assert None not in ticks
    assert max(tick for tick in ticks if tick) < env.horizon


def test_the_expert_takes_the_same_way_in_both_action_modes() -> None:
    native, ee = (ReachEnv(action_mode=mode) for mode in ACTION_MODES)

    assert [solved_in_ticks(native, s) for s in range(9)] == [
        solved_in_ticks(ee, s) for s in range(9)
    ]


def test_a_native_action_moves_the_hand_by_one_step_and_shuts_the_gripper() -> None:
    env = ReachEnv(cameras={})
    before = env.reset(seed=0)[0]["state"]

    after = env.step(np.float32([1, -1, 0, 0.5]))[0]["state"]

    np.testing.assert_allclose(after - before, [STEP_M, -STEP_M, 0, -0.1], atol=1e-6)


def test_an_ee_action_leads_to_its_pose_and_stays_there() -> None:
    env = ReachEnv(cameras={}, action_mode="ee", terminate_on_success=False)
    wanted = env.reset(seed=0)[0]["state"].copy()
    wanted[:3] = [0.4, 0.1, 0.9]
    wanted[9] = 0.3

    for _ in range(40):
        state = env.step(wanted)[0]["state"]

    np.testing.assert_allclose(state, wanted, atol=1e-6)


def test_out_of_range_actions_are_clipped_and_say_so() -> None:
    env = ReachEnv(cameras={})
    env.reset(seed=0)

    *_, info = env.step(np.float32([7, -7, 0.5, 0]))

    np.testing.assert_array_equal(info["sent_action"], np.float32([1, -1, 0.5, 0]))


def test_the_hand_stays_in_its_cube() -> None:
    env = ReachEnv(cameras={}, terminate_on_success=False)
    env.reset(seed=0)

    for _ in range(50):
        state = env.step(np.float32([1, 1, -1, 1]))[0]["state"]

    np.testing.assert_array_equal(state, np.float32([0.5, 1.0, 0.0, 0.0]))


def test_the_sentence_names_the_target_that_counts() -> None:
    env = ReachEnv(cameras={})

    for seed in range(20):
        _, info = env.reset(seed=seed)
        red_m, blue_m, wanted_m = info["privileged"][4:].reshape(3, 3)
        np.testing.assert_array_equal(wanted_m, red_m if "red" in env.instruction else blue_m)


def test_the_option_target_chooses_and_the_option_instruction_only_rewords() -> None:
    env = ReachEnv(cameras={})

    for target in ("red", "blue"):
        env.reset(seed=3, options={"target": target})
        assert env.instruction == f"reach the {target} target"
    _, info = env.reset(seed=3, options={"target": "red", "instruction": "reach the blue target"})
    np.testing.assert_array_equal(info["privileged"][-3:], info["privileged"][4:7])


def test_heldout_sentences_are_new_but_their_words_are_not() -> None:
    seen = {word for template in TEMPLATES["train"] for word in template.split()}

    assert not set(TEMPLATES["heldout"]) & set(TEMPLATES["train"])
    assert {word for template in TEMPLATES["heldout"] for word in template.split()} <= seen
    assert TEMPLATES["default"][0] in TEMPLATES["train"]


@pytest.mark.parametrize("which", ["default", "train", "heldout"])
def test_every_sentence_of_a_set_is_drawn(which) -> None:
    env = ReachEnv(cameras={}, instructions=which)

    drawn = {env.reset(seed=seed)[0]["instruction"] for seed in range(200)}

    assert drawn == {t.format(colour) for t in TEMPLATES[which] for colour in ("red", "blue")}


@pytest.mark.parametrize(
    ("view", "right", "up", "start"), [("top", 0, 1, (-0.5, 0)), ("front", 0, 2, (-0.5, 0))]
)
def test_both_views_show_the_targets_where_they_are(view, right, up, start) -> None:
    env = ReachEnv(cameras={view: 100})
    observation, info = env.reset(seed=3)

    for channel, place_m in ((0, info["privileged"][4:7]), (2, info["privileged"][7:10])):
        row, column = centre_of(observation[f"image_{view}"], channel)
        assert column == pytest.approx(100 * (place_m[right] - start[0]), abs=2)
        assert row == pytest.approx(100 * (1 - place_m[up] + start[1]), abs=2)


def test_pictures_follow_the_cameras_argument_in_order_and_size() -> None:
    env = ReachEnv(cameras={"front": (20, 30), "top": 16})

    observation, _ = env.reset(seed=0)

    assert [camera.name for camera in env.interface.cameras] == ["front", "top"]
    assert observation["image_front"].shape == (20, 30, 3)
    assert observation["image_top"].shape == (16, 16, 3)


def test_the_picture_shows_how_far_the_gripper_is_open() -> None:
    env = ReachEnv()
    opened, _ = env.reset(seed=0)

    for _ in range(5):
        shut, *_ = env.step(np.float32([0, 0, 0, 1]))

    assert (opened["image_front"] != shut["image_front"]).any()


def test_render_shows_both_views_side_by_side() -> None:
    env = gym.make("TinyVLA/Reach-v0", render_size=(50, 60))
    env.reset(seed=0)

    picture = env.render()

    assert picture.shape == (50, 120, 3)
    assert picture.dtype == np.uint8


def test_the_profile_has_a_name_and_a_hash_that_stays() -> None:
    profile = ReachEnv().profile

    assert (profile.name, profile.hash) == ("kinematic-1", "81f3ca140e0c")


@pytest.mark.parametrize("view", ["top", "front"])
def test_kinematic_1_draws_what_it_drew_when_it_was_released(view: str) -> None:
    frozen = np.array(json.loads(FROZEN.read_text())[view])  # means of 8 x 8 blocks
    env = ReachEnv(cameras={view: 64})

    picture = env.reset(seed=1)[0][f"image_{view}"]

    np.testing.assert_allclose(
        picture.reshape(8, 8, 8, 8, 3).mean((1, 3)), frozen.reshape(8, 8, 3), atol=0.1
    )


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"cameras": {"topp": 32}}, "no camera 'topp'. Did you mean 'top'"),
        ({"profile": "fast-1"}, "no render profile 'fast-1'"),
        ({"action_mode": "joint"}, "no action mode 'joint'"),
        ({"instructions": "test"}, "no set of sentences 'test'"),
        ({"render_mode": "human"}, "no render mode 'human'"),
        ({"cameras": {"top": 0}}, "positive size, got 0 x 0"),
        ({"cameras": {"top": 32.0}}, "size in pixels"),
        ({"horizon": 0}, "horizon of at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_named(settings, complaint) -> None:
    with pytest.raises((UnknownNameError, ConfigError), match=complaint):
        ReachEnv(**settings)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [({"target": "green"}, "no target 'green'"), ({"progress": 0.5}, "no reset option")],
)
def test_unknown_reset_options_are_refused(options, complaint) -> None:
    with pytest.raises((UnknownNameError, ConfigError), match=complaint):
        ReachEnv().reset(seed=0, options=options)
