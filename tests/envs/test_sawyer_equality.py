"""MetaWorld's simulators against metaworld's own: what they say, and what they leave alone."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from metaworld.utils import reward_utils
from scipy.spatial.transform import Rotation

from benchmarks.equality import differences, plain_simulator
from tinyvla_gym.envs.metaworld import MetaWorldEnv
from tinyvla_gym.envs.registration import METAWORLD_TASKS
from tinyvla_gym.envs.sawyer import arithmetic
from tinyvla_gym.envs.sawyer.models import shared_model
from tinyvla_gym.envs.sawyer.simulator import make_simulator


@pytest.mark.slow
@pytest.mark.parametrize("task", METAWORLD_TASKS)
def test_every_task_equals_metaworlds_own_to_the_last_bit(task: str) -> None:
    assert max(differences(task, seeds=(0,), random_steps=15, expert_steps=60)) == 0.0


def test_a_wrong_reward_is_noticed(monkeypatch) -> None:
    assert max(differences("reach", seeds=(0,), random_steps=2, expert_steps=0)) == 0.0
    monkeypatch.setattr(arithmetic, "_LONG_TAIL", 3.0000001)

    assert max(differences("reach", seeds=(0,), random_steps=2, expert_steps=0)) > 1e-9


def test_metaworlds_own_classes_stay_as_they_are() -> None:
    before = vars(type(plain_simulator("push"))).copy()

    sim = make_simulator("push")

    assert vars(type(plain_simulator("push"))) == before
    assert isinstance(sim, type(plain_simulator("push")))
    assert reward_utils.tolerance is not arithmetic.tolerance


NUMBERS = np.random.default_rng(0).normal(size=(2000, 4))


@pytest.mark.parametrize("sigmoid", ["long_tail", "gaussian", "linear"])
def test_tolerance_equals_the_original_inside_at_and_beyond_the_bounds(sigmoid: str) -> None:
    for x, low, margin, _ in np.round(NUMBERS, 2):  # rounded, so that some are equal
        asked = (np.float64(x), (low, low + 0.5), abs(margin), sigmoid)
        assert arithmetic.tolerance(*asked) == reward_utils.tolerance(*asked)


@pytest.mark.parametrize("bounds_and_margin", [((1.0, 0.0), 0.1), ((0.0, 1.0), -0.1)])
def test_tolerance_refuses_what_the_original_refuses(bounds_and_margin) -> None:
    with pytest.raises(ValueError, match=r"Lower bound|non-negative"):
        arithmetic.tolerance(0.5, *bounds_and_margin)


def test_norms_equal_numpys_for_vectors_numbers_matrices_and_other_types() -> None:
    for row in NUMBERS[:200]:
        for x in (row[:3], row[::2], row[0], row.astype(np.float32), row.reshape(2, 2), [1, 2]):
            assert arithmetic.norm(x) == np.linalg.norm(x)
    assert arithmetic.norm(row, ord=2) == np.linalg.norm(row, ord=2)
    assert arithmetic.norm(row, 1) == np.linalg.norm(row, 1)


def test_quaternions_equal_scipys() -> None:
    half_turns = np.array([*np.eye(4), *-np.eye(4)])
    for quaternion in (*NUMBERS, *half_turns):
        matrix = Rotation.from_quat(quaternion).as_matrix()
        ours = arithmetic.MatrixRotation.from_matrix(matrix).as_quat()
        np.testing.assert_array_equal(ours, Rotation.from_matrix(matrix).as_quat())


def episode(env: MetaWorldEnv, seed: int, ticks: int = 20):
    """Plays the expert; yields after each tick, so that another env may play in between."""
    _, info = env.reset(seed=seed)
    yield info["privileged"]
    for _ in range(ticks):
        reward, *_, info = env.advance(env.expert_action())
        yield np.append(info["privileged"], reward)


@pytest.mark.parametrize(("task", "neighbour"), [("door-open", "door-open"), ("drawer-open",) * 2])
def test_envs_that_share_a_model_do_not_see_each_other(task: str, neighbour: str) -> None:
    alone = list(episode(MetaWorldEnv(task=task, cameras={}), seed=1))
    env, other = (MetaWorldEnv(task=name, cameras={}) for name in (task, neighbour))

    pairs = list(zip(episode(env, seed=1), episode(other, seed=2), strict=True))

    assert env._sim.model is other._sim.model
    assert env._sim.data is not other._sim.data
    for mine, expected in zip([mine for mine, _ in pairs], alone, strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_envs_that_share_a_model_may_be_stepped_from_threads() -> None:
    seeds = range(3)
    alone = [list(episode(MetaWorldEnv(task="door-open", cameras={}), seed)) for seed in seeds]
    envs = [MetaWorldEnv(task="door-open", cameras={}) for _ in seeds]

    with ThreadPoolExecutor(len(envs)) as threads:
        together = list(threads.map(lambda env, seed: list(episode(env, seed)), envs, seeds))

    for mine, expected in zip(together, alone, strict=True):
        np.testing.assert_array_equal(np.concatenate(mine), np.concatenate(expected))


@pytest.mark.parametrize("task", ["drawer-open", "push", "basketball"])
def test_an_env_built_beside_a_played_one_begins_like_the_first(task: str) -> None:
    first = MetaWorldEnv(task=task, cameras={})
    expected = list(episode(first, seed=3, ticks=5))
    list(episode(first, seed=4, ticks=5))

    later = list(episode(MetaWorldEnv(task=task, cameras={}), seed=3, ticks=5))

    np.testing.assert_array_equal(np.concatenate(later), np.concatenate(expected))


def test_a_model_is_lent_with_the_borrowers_places() -> None:
    sim = make_simulator("door-open")
    sim.seed(0)
    sim.reset()
    shared, mine = sim._shared, sim.model.body_pos.copy()
    assert shared is shared_model(sim.fullpath)

    shared.lend(shared.pristine)
    assert (sim.model.body_pos != mine).any()
    shared.lend(sim._places)

    np.testing.assert_array_equal(sim.model.body_pos, mine)


@pytest.mark.parametrize("task", ["push", "peg-insert-side"])
def test_advancing_and_then_looking_equals_stepping_one_by_one(task: str) -> None:
    one_by_one, in_chunks = (MetaWorldEnv(task=task, cameras={"corner": 24}) for _ in range(2))
    one_by_one.reset(seed=5)
    in_chunks.reset(seed=5)

    for _ in range(3):
        for _ in range(8):
            seen, *stepped = one_by_one.step(one_by_one.expert_action())
            advanced = in_chunks.advance(in_chunks.expert_action())
        seen_late = in_chunks.observe()

        assert advanced[:3] == tuple(stepped[:3])
        np.testing.assert_array_equal(advanced[3]["privileged"], stepped[3]["privileged"])
        np.testing.assert_array_equal(seen_late["image_corner"], seen["image_corner"])
        np.testing.assert_array_equal(seen_late["state"], seen["state"])
