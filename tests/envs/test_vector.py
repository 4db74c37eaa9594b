import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import tinyvla_gym  # noqa: F401 (registers the ids)
from tinyvla_gym.envs.reach import ReachEnv
from tinyvla_gym.envs.vector import InstructedVectorEnv
from tinyvla_gym.errors import ActionNotFiniteError, ConfigError, InstructionError, UnknownNameError

REACH = "TinyVLA/Reach-v0"
STILL = np.zeros((3, 4), np.float32)


def three_envs(**settings):
    return gym.make_vec(REACH, num_envs=3, **settings)


def play_out(envs, ticks):
    for _ in range(ticks - 1):
        envs.step(STILL)
    return envs.step(STILL)


def test_make_vec_makes_ours_with_fitting_spaces() -> None:
    envs = three_envs(cameras={"top": (8, 12)})

    observation, _ = envs.reset(seed=0)

    assert isinstance(envs.unwrapped, InstructedVectorEnv)
    assert observation in envs.observation_space
    assert observation["image_top"].shape == (3, 8, 12, 3)
    assert observation["state"].shape == (3, 4)
    assert envs.action_space.shape == (3, 4)


def test_each_env_equals_the_single_env_with_its_seed() -> None:
    envs = three_envs()
    seeds = [7, 1_000_000, 3]
    observation, info = envs.reset(seed=seeds)
    actions = np.stack(envs.call("expert_action"))

    later, rewards, *_ = envs.step(actions)

    for slot, seed in enumerate(seeds):
        alone = ReachEnv()
        first, _ = alone.reset(seed=seed)
        second, reward, *_ = alone.step(alone.expert_action())
        for seen, wanted in ((observation, first), (later, second)):
            np.testing.assert_array_equal(seen["image_top"][slot], wanted["image_top"])
            np.testing.assert_array_equal(seen["state"][slot], wanted["state"])
            assert seen["instruction"][slot] == wanted["instruction"]
        assert rewards[slot] == reward
        assert info["seed"][slot] == seed


def test_it_drives_metaworld_too() -> None:
    envs = gym.make_vec("TinyVLA/MetaWorld-reach-v3", num_envs=2, cameras={})

    observation, info = envs.reset(seed=4, options={"instruction": ["go", "stay"]})

    assert observation["instruction"] == ("go", "stay")
    assert info["seed"].tolist() == [4, 5]
    assert info["privileged"].shape == (2, 39)


@pytest.mark.parametrize("seed", [np.int64(5), 5, [5, 6, 7], (5, 6, 7), np.arange(5, 8)])
def test_seeds_come_as_a_number_or_as_a_list(seed) -> None:
    envs = three_envs()

    _, info = envs.reset(seed=seed)

    assert info["seed"].tolist() == [5, 6, 7]


def test_envs_without_a_seed_draw_their_own() -> None:
    envs = three_envs()

    _, info = envs.reset(seed=[1, None, None])

    drawn = info["seed"][1:]
    assert info["seed"][0] == 1
    assert ((drawn >= 500_000) & (drawn < 1_000_000)).all()
    assert drawn[0] != drawn[1]


def test_each_env_gets_its_own_sentence_or_its_own_way() -> None:
    envs = three_envs()

    observation, info = envs.reset(
        seed=0, options={"instruction": ["first", None, "third"], "target": ["red", "blue", None]}
    )

    assert observation["instruction"] == ("first", "reach the blue target", "third")
    assert info["instruction"].tolist() == list(observation["instruction"])


def test_one_sentence_goes_to_all() -> None:
    observation, _ = three_envs().reset(options={"instruction": "all of you"})

    assert observation["instruction"] == ("all of you",) * 3


def test_observations_are_fresh_copies() -> None:
    envs = three_envs()
    first, _ = envs.reset(seed=0)
    kept = {key: np.array(value) for key, value in first.items()}

    second, *_ = envs.step(np.ones((3, 4), np.float32))
    second["image_top"][:] = 0

    for key, value in first.items():
        np.testing.assert_array_equal(value, kept[key])
    assert not np.shares_memory(first["state"], second["state"])
    assert envs.step(STILL)[0]["image_top"].any()


def test_next_step_shows_the_end_and_begins_anew_one_step_later() -> None:
    envs = three_envs(horizon=2)
    envs.reset(seed=0, options={"instruction": "mine"})

    last, _, _, truncated, info = play_out(envs, 2)
    first, rewards, _, truncated_after, info_after = envs.step(STILL)

    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert truncated.all()
    assert last["instruction"] == ("mine",) * 3
    assert info["seed"].tolist() == [0, 1, 2]
    assert not truncated_after.any()
    assert not rewards.any()
    assert (info_after["seed"] >= 500_000).all()
    assert "mine" not in first["instruction"]


def test_same_step_hands_over_the_end_in_the_info() -> None:
    envs = three_envs(horizon=2, autoreset_mode="SameStep")
    envs.reset(seed=0, options={"instruction": "mine"})

    first, _, _, truncated, info = play_out(envs, 2)

    assert truncated.all()
    assert "mine" not in first["instruction"]
    assert (info["seed"] >= 500_000).all()
    assert info["final_info"]["seed"].tolist() == [0, 1, 2]
    assert [last["instruction"] for last in info["final_obs"]] == ["mine"] * 3


def test_disabled_resets_only_what_the_mask_says() -> None:
    envs = three_envs(horizon=2, autoreset_mode=AutoresetMode.DISABLED)
    envs.reset(seed=0)
    play_out(envs, 2)
    options = {"reset_mask": np.array([True, False, True]), "instruction": ["a", "b", "c"]}

    observation, info = envs.reset(seed=[10, 11, 12], options=options)

    assert set(options) == {"reset_mask", "instruction"}
    assert observation["instruction"][::2] == ("a", "c")
    assert observation["instruction"][1] != "b"
    assert info["_seed"].tolist() == [True, False, True]
    assert envs.get_attr("episode_seed") == (10, 1, 12)


def test_call_and_get_attr_reach_the_bare_envs() -> None:
    envs = three_envs()
    envs.reset(seed=0)

    assert [action.shape for action in envs.call("expert_action")] == [(4,)] * 3
    assert envs.get_attr("name") == ("Reach",) * 3
    assert envs.render()[0].shape == (480, 960, 3)


def test_a_bad_action_of_one_env_moves_none() -> None:
    envs = three_envs()
    envs.reset(seed=0)
    before = envs.call("observe")
    actions = np.ones((3, 4), np.float32)
    actions[1, 2] = np.nan

    with pytest.raises(ActionNotFiniteError, match="env 1 hand_dz_frac=nan"):
        envs.step(actions)

    for one, other in zip(before, envs.call("observe"), strict=True):
        np.testing.assert_array_equal(one["state"], other["state"])


def test_a_bad_sentence_is_refused() -> None:
    with pytest.raises(InstructionError, match="outside printable ASCII"):
        three_envs().reset(options={"instruction": ["fine", "na\u00efve", "fine"]})


@pytest.mark.parametrize(
    "arguments",
    [{"seed": [1, 2]}, {"options": {"instruction": ["a"]}}, {"options": {"target": ["red"] * 4}}],
)
def test_lists_must_have_one_entry_per_env(arguments) -> None:
    with pytest.raises(ConfigError, match="entries for 3 envs"):
        three_envs().reset(**arguments)


def test_actions_must_have_one_row_per_env() -> None:
    envs = three_envs()
    envs.reset(seed=0)

    with pytest.raises(ConfigError, match=r"shape \(3, 4\), got \(2, 4\)"):
        envs.step(STILL[:2])


def test_settings_that_make_no_sense_are_named() -> None:
    with pytest.raises(UnknownNameError, match="no autoreset mode 'Samestep'"):
        three_envs(autoreset_mode="Samestep")
    with pytest.raises(ConfigError, match="at least one, got num_envs=0"):
        gym.make_vec(REACH, num_envs=0)
    with pytest.raises(UnknownNameError, match="no camera 'side'"):
        three_envs(cameras={"side": 8})
