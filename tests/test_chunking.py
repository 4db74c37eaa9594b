"""Tests for chunking.py."""

from pathlib import Path

import numpy as np
import pytest
from fakes import INTERFACE, CountingPolicy, ScriptedEnv, WanderingPolicy, an_observation
from hypothesis import given
from hypothesis import strategies as st

from tinyvla_gym.chunking import ExpertAgent, RecedingHorizon, TemporalEnsemble
from tinyvla_gym.errors import ChunkLengthError, ConfigError
from tinyvla_gym.policies.policy import PolicySpec
from tinyvla_gym.policies.simple import RandomPolicy

GOLDEN = Path(__file__).parent / "golden" / "ensemble.npz"
SEEN = an_observation()


class ChunksInOrder:
    """Answers plan after plan with the next of the given chunks (T, K, A)."""

    def __init__(self, chunks):
        horizon = chunks.shape[1]
        self.spec = PolicySpec(name="told", interface=INTERFACE, horizon=horizon, execute=horizon)
        self._chunks = iter(chunks)

    def reset(self, *, seed=None):
        pass

    def plan_batch(self, observations, *, noise=None):
        return next(self._chunks)[None]


@pytest.mark.parametrize("execute", [1, 3, 8])
def test_plans_again_after_execute_actions_and_not_before(execute) -> None:
    policy = CountingPolicy(horizon=8)
    agent = RecedingHorizon(policy, execute=execute)
    agent.reset(seed=0)

    played = [agent.act(SEEN)[0] for _ in range(2 * execute)]

    assert policy.plans == 2
    np.testing.assert_array_equal(played, [*range(execute), *range(execute)])


def test_plays_as_many_actions_as_the_policy_proposes() -> None:
    policy = CountingPolicy(horizon=8, execute=2)
    agent = RecedingHorizon(policy)

    played = [agent.act(SEEN)[0] for _ in range(4)]

    np.testing.assert_array_equal(played, [0, 1, 0, 1])


def test_reset_drops_the_rest_of_the_chunk_and_tells_the_policy_the_seed() -> None:
    policy = CountingPolicy(horizon=8)
    agent = RecedingHorizon(policy)
    agent.act(SEEN)

    agent.reset(seed=7)

    assert agent.act(SEEN)[0] == 0  # row 0 of a new chunk, not row 1 of the old one
    assert policy.plans == 2
    assert policy.resets == [7]


@pytest.mark.parametrize("execute", [0, 9])
def test_execute_must_fit_the_chunk(execute) -> None:
    with pytest.raises(ChunkLengthError, match=f"execute={execute} does not fit a chunk of 8"):
        RecedingHorizon(CountingPolicy(horizon=8), execute=execute)


def test_says_when_it_planned_and_when_it_will_look() -> None:
    agent = RecedingHorizon(CountingPolicy(horizon=2))
    said = []
    for _ in range(4):
        looks = agent.needs_observation()
        agent.act(SEEN if looks else None)
        said.append((looks, agent.planned))

    assert said == [(True, True), (False, False), (True, True), (False, False)]
    assert agent.source == "policy"


def test_nobody_plans_blind() -> None:
    with pytest.raises(ConfigError, match="without an observation"):
        RecedingHorizon(CountingPolicy()).act(None)


def test_a_plan_is_kept_even_if_the_policy_uses_its_buffer_again() -> None:
    chunks = np.stack([np.full((3, 2), 5.0, np.float32)])
    agent = RecedingHorizon(ChunksInOrder(chunks))
    agent.act(SEEN)

    chunks[:] = 0

    np.testing.assert_array_equal(agent.act(None), [5, 5])


@pytest.mark.parametrize("kind", [RecedingHorizon, TemporalEnsemble])
def test_all_plans_of_a_tick_share_one_batch(kind) -> None:
    policy = CountingPolicy(horizon=4)
    agent = kind(policy)
    slots = [agent.begin(seed) for seed in range(3)]
    agent.act_batch([SEEN], slots[:1])  # the first slot is now one tick ahead
    agent.act_batch([SEEN] * 3, slots)

    assert [len(seen) for seen, _ in policy.batches] == [1, 2 if kind is RecedingHorizon else 3]


def test_each_slot_has_its_own_plans() -> None:
    agent = RecedingHorizon(CountingPolicy(horizon=4))
    slots = [agent.begin(seed) for seed in range(2)]
    agent.act_batch([SEEN], slots[:1])

    actions = agent.act_batch([None, SEEN], slots)

    np.testing.assert_array_equal(actions[:, 0], [1, 0])
    assert [slot.planned for slot in slots] == [False, True]


@pytest.mark.parametrize("kind", [RecedingHorizon, TemporalEnsemble])
def test_noise_follows_from_the_episodes_seed_alone(kind) -> None:
    def noise_of(seeds):
        policy = WanderingPolicy(horizon=2)
        agent = kind(policy)
        slots = [agent.begin(seed) for seed in seeds]
        for _ in range(6):
            agent.act_batch([SEEN] * len(seeds), slots)
        return np.stack([noise for _, noise in policy.batches])

    together, alone = noise_of([3, 4]), noise_of([4])

    np.testing.assert_array_equal(together[:, 1:], alone)
    assert together.dtype == np.float32
    assert not np.array_equal(together[:, 0], together[:, 1])
    assert not np.array_equal(together[0], together[1])


def test_a_seeded_reset_repeats_an_episode() -> None:
    agent = RecedingHorizon(RandomPolicy(INTERFACE, horizon=2))

    def played(seed):
        agent.reset(seed=seed)
        return np.stack([agent.act(SEEN) for _ in range(5)])

    first, other, again, onward = played(1), played(2), played(1), played(None)

    np.testing.assert_array_equal(again, first)
    assert not np.array_equal(other, first)
    assert not np.array_equal(onward, first)


def test_a_policy_without_noise_gets_none() -> None:
    policy = CountingPolicy()
    RecedingHorizon(policy).act(SEEN)

    assert policy.batches[0][1] is None


def test_padding_repeats_the_first_observation_and_its_answers_are_dropped() -> None:
    policy = WanderingPolicy(horizon=2)
    agent = RecedingHorizon(policy, pad_to=4)
    seen = [an_observation(x_m=0.1), an_observation(x_m=0.2)]

    actions = agent.act_batch(seen, [agent.begin(0), agent.begin(1)])

    [(observations, noise)] = policy.batches
    assert actions.shape == (2, 2)
    assert [shown["state"][0] for shown in observations] == pytest.approx([0.1, 0.2, 0.1, 0.1])
    assert noise.shape == (4, 2, 2)
    np.testing.assert_array_equal(noise[2:], 0)


def test_padding_that_is_too_small_is_refused() -> None:
    agent = RecedingHorizon(CountingPolicy(), pad_to=1)

    with pytest.raises(ConfigError, match="2 envs plan at once, more than pad_to=1"):
        agent.act_batch([SEEN, SEEN], [agent.begin(), agent.begin()])
    with pytest.raises(ConfigError, match="1 or more, got 0"):
        RecedingHorizon(CountingPolicy(), pad_to=0)


def test_the_ensemble_gives_the_released_codes_actions() -> None:
    golden = np.load(GOLDEN)
    agent = TemporalEnsemble(ChunksInOrder(golden["chunks"]))

    played = np.stack([agent.act(SEEN) for _ in golden["chunks"]])

    assert played.dtype == np.float32
    np.testing.assert_allclose(played, golden["raw_action_float_buffer"], atol=1e-6, rtol=0)


def test_the_ensemble_weighs_the_oldest_prediction_most() -> None:
    chunks = np.float32([[[1, 1]] * 2, [[3, 3]] * 2])
    agent = TemporalEnsemble(ChunksInOrder(chunks), decay=np.log(3))
    agent.act(SEEN)

    np.testing.assert_allclose(agent.act(SEEN), [1.5, 1.5])  # (3 * 1 + 1 * 3) / 4


def test_a_prediction_of_zero_counts() -> None:
    agent = TemporalEnsemble(ChunksInOrder(np.float32([[[0, 0]] * 2, [[4, 4]] * 2])), decay=0.0)
    agent.act(SEEN)

    np.testing.assert_array_equal(agent.act(SEEN), [2, 2])


@given(horizon=st.integers(1, 5), ticks=st.integers(1, 12))
def test_the_ensemble_hears_only_predictions_made_for_the_tick(horizon, ticks) -> None:
    # Row k of the plan of tick t says t + k: whatever was made for a tick agrees on its number.
    made_for = np.arange(ticks)[:, None] + np.arange(horizon)
    agent = TemporalEnsemble(ChunksInOrder(np.repeat(made_for[:, :, None], 2, axis=2)))

    played = [agent.act(SEEN)[0] for _ in range(ticks)]

    np.testing.assert_allclose(played, np.arange(ticks), rtol=1e-6)


def test_the_ensemble_looks_at_every_tick() -> None:
    agent = TemporalEnsemble(CountingPolicy(horizon=4))
    agent.act(SEEN)

    assert agent.needs_observation()
    assert agent.planned


def test_the_ensembles_decay_must_be_a_number() -> None:
    with pytest.raises(ConfigError, match="finite number, got nan"):
        TemporalEnsemble(CountingPolicy(), decay=float("nan"))


def test_the_expert_plays_blind() -> None:
    env = ScriptedEnv()
    agent = ExpertAgent(env)
    env.reset(seed=3)
    agent.reset(seed=3)

    assert not agent.needs_observation()
    np.testing.assert_array_equal(agent.act(None), env.expert_action())
    assert agent.source == "expert"


def test_an_env_without_an_expert_is_named() -> None:
    with pytest.raises(ConfigError, match="ScriptedEnv has no scripted expert"):
        ExpertAgent(ScriptedEnv(expert=False))
