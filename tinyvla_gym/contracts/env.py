"""What the rest of the package relies on in an env."""

from collections.abc import Callable
from copy import deepcopy
from itertools import pairwise
from typing import Any, cast

import gymnasium as gym
import numpy as np
from gymnasium.utils.env_checker import check_env as check_gymnasium_env
from gymnasium.utils.env_checker import data_equivalence
from numpy.typing import NDArray

from tinyvla_gym.envs.env import UNSEEDED, ManipulationEnv, refuse_live
from tinyvla_gym.errors import ActionNotFiniteError, EpisodeOverError, InstructionError
from tinyvla_gym.interface import INSTRUCTION_LENGTH, Observation

SEED = UNSEEDED[0]  # of no demonstration and of no evaluation


def check_env(env: gym.Env, *, skip_render_check: bool = False) -> None:
    """Asserts that an env keeps Gymnasium's promises and this package's.

    It looks at the bare env, below all wrappers, and plays actions drawn from its action space:
    never on a live rig. Episodes of an env whose spec says ``nondeterministic`` need not repeat.

    Args:
        env: The env to check; one with a short horizon is checked sooner.
        skip_render_check: Leaves ``render()`` out. Always so for an env without a ``spec``,
            one that ``gym.make`` did not make.

    Raises:
        AssertionError: Naming the first promise that was broken.
        LiveEnvError: If the env moves real arms.
    """
    bare = cast(ManipulationEnv, env.unwrapped)
    for name in ("interface", "horizon", "advance", "observe"):
        assert hasattr(bare, name), f"the env has no {name}; subclass ManipulationEnv"
    refuse_live(bare, "check_env")
    repeats = bare.spec is None or not bare.spec.nondeterministic
    repeated = (
        _equal_seeds_give_equal_episodes,
        _advancing_and_observing_is_stepping,
        _a_bad_action_moves_nothing,
    )
    for check in (
        _spaces_are_the_interfaces,
        _observations_fit_and_are_fresh,
        _info_is_complete,
        *(repeated if repeats else (_a_bad_action_is_refused,)),
        _an_episode_ends_once,
        _a_sentence_can_be_replaced,
        _bad_sentences_are_refused,
    ):
        check(bare)
    check_gymnasium_env(bare, skip_render_check=skip_render_check or bare.spec is None)


def _spaces_are_the_interfaces(env: ManipulationEnv) -> None:
    for name in ("observation_space", "action_space"):
        wanted, got = getattr(env.interface, name)(), getattr(env, name)
        assert got == wanted, f"{name} is {got}, its interface says {wanted}"


def _observations_fit_and_are_fresh(env: ManipulationEnv) -> None:
    first, _ = env.reset(seed=SEED)
    assert first in env.observation_space, "reset() returned an observation outside its space"
    second = env.observe()
    assert _same(first, second), "observe() right after reset() shows something else"
    arrays = [name for name, value in first.items() if isinstance(value, np.ndarray)]
    for name in arrays:
        assert not np.shares_memory(first[name], second[name]), f"{name} is not a fresh array"
        second[name][...] = 0
    assert _same(first, env.observe()), "writing into an observation changes the env"
    for observation, *_ in _play(env, SEED, _some_actions(env)):
        assert observation in env.observation_space, "step() returned one outside its space"


def _info_is_complete(env: ManipulationEnv) -> None:
    observation, info = env.reset(seed=SEED)
    _check_info(env, observation, info)
    observation, _, _, _, info = env.step(_some_actions(env)[0])
    _check_info(env, observation, info)


def _check_info(env: ManipulationEnv, observation: Observation, info: dict[str, Any]) -> None:
    for key in ("success", "sent_action", "seed", "instruction"):
        assert key in info, f"info has no {key!r}"
    sent, shape = info["sent_action"], env.action_space.shape
    assert isinstance(info["success"], bool), f"info['success'] is {info['success']!r}, not a bool"
    assert sent.shape == shape, f"info['sent_action'] has shape {sent.shape}, not {shape}"
    assert sent.dtype == np.float32, f"info['sent_action'] is {sent.dtype}, not float32"
    assert info["seed"] == SEED, f"info['seed'] is {info['seed']} after reset(seed={SEED})"
    said = (info["instruction"], observation["instruction"])
    assert said[0] == said[1], f"info and observation name two sentences: {said}"


def _equal_seeds_give_equal_episodes(env: ManipulationEnv) -> None:
    actions = _some_actions(env)
    first, again = _play(env, SEED, actions), _play(env, SEED, actions)
    assert _same(first, again), "two episodes with one seed differ"
    begun = [_first_ticks(env, SEED + more, actions[0]) for more in range(3)]
    differ = not all(_same(one, other) for one, other in pairwise(begun))
    assert differ, "episodes with different seeds begin alike: the seed is ignored"
    drawn = env.reset()[1]["seed"]
    low, high = UNSEEDED
    assert low <= drawn < high, f"reset() drew the seed {drawn}, not one from {low} to {high - 1}"


def _advancing_and_observing_is_stepping(env: ManipulationEnv) -> None:
    actions = _some_actions(env)
    stepped = _play(env, SEED, actions)
    env.reset(seed=SEED)
    advanced = []
    for action in actions[: len(stepped)]:
        outcome = env.advance(action)
        advanced.append((env.observe(), *outcome))
    assert _same(stepped, advanced), "advance() and observe() differ from step()"
    env.reset(seed=SEED)
    blind = [env.advance(action) for action in actions[: len(stepped)]]
    assert _same([tick[1:] for tick in stepped], blind), "observe() changes what advance() does"


def _a_bad_action_moves_nothing(env: ManipulationEnv) -> None:
    actions = _some_actions(env)[:2]
    undisturbed = _play(env, SEED, actions)
    disturbed = []
    env.reset(seed=SEED)
    for action in actions[: len(undisturbed)]:
        for value in (np.nan, np.inf):
            bad = action.copy()
            bad[-1] = value
            _must_raise(ActionNotFiniteError, lambda bad=bad: env.step(bad), f"step with {value}")
        disturbed.append(env.step(action))
    assert _same(undisturbed, disturbed), "an action that is not finite moved something"


def _a_bad_action_is_refused(env: ManipulationEnv) -> None:
    action = _some_actions(env)[0]
    env.reset(seed=SEED)
    for value in (np.nan, np.inf):
        bad = action.copy()
        bad[-1] = value
        _must_raise(ActionNotFiniteError, lambda bad=bad: env.step(bad), f"step with {value}")
    env.step(action)


def _an_episode_ends_once(env: ManipulationEnv) -> None:
    actions = _some_actions(env)
    env.reset(seed=SEED)
    terminated = truncated = False
    for tick in range(env.horizon):
        assert not truncated, f"truncated after {tick} ticks, its horizon is {env.horizon}"
        _, terminated, truncated, _ = env.advance(actions[tick % len(actions)])
        if terminated:
            break
    assert terminated or truncated, f"still runs after its horizon of {env.horizon} ticks"
    _must_raise(EpisodeOverError, lambda: env.step(actions[0]), "step() after the end")


def _a_sentence_can_be_replaced(env: ManipulationEnv) -> None:
    own = env.reset(seed=SEED)[0]["instruction"]
    mine = "say this and nothing else"
    said = env.reset(seed=SEED, options={"instruction": mine})[0]["instruction"]
    assert said == mine, f"options={{'instruction': {mine!r}}} gave {said!r}"
    later = env.step(_some_actions(env)[0])[0]["instruction"]
    assert later == mine, f"after a step {mine!r} became {later!r}"
    next_time = env.reset(seed=SEED)[0]["instruction"]
    assert next_time == own, f"{mine!r} outlived its episode"


def _bad_sentences_are_refused(env: ManipulationEnv) -> None:
    for sentence in ("touch the caf\u00e9", "two\nlines", "x" * (INSTRUCTION_LENGTH + 1)):
        _must_raise(
            InstructionError,
            lambda sentence=sentence: env.reset(options={"instruction": sentence}),
            f"the sentence {sentence[:20]!r}",
        )


def _some_actions(env: ManipulationEnv) -> NDArray[np.float32]:
    """A few random actions, always the same, shape (5, A)."""
    space = deepcopy(env.action_space)
    space.seed(0)
    return np.stack([space.sample() for _ in range(5)]).astype(np.float32)


def _play(env: ManipulationEnv, seed: int, actions: NDArray[np.float32]) -> list[tuple]:
    """What ``step`` returns until the actions or the episode are over."""
    env.reset(seed=seed)
    played = []
    for action in actions:
        played.append(env.step(action))
        if played[-1][2] or played[-1][3]:
            break
    return played


def _first_ticks(env: ManipulationEnv, seed: int, action: NDArray[np.float32]) -> list[Any]:
    """What ``reset`` and one ``step`` tell, save the seed itself."""
    told = [*env.reset(seed=seed), *env.step(action)]
    for info in (told[1], told[-1]):
        del info["seed"]
    return told


def _same(one: Any, other: Any) -> bool:
    return data_equivalence(one, other, exact=True)


def _must_raise(wanted: type[Exception], act: Callable[[], object], what: str) -> None:
    try:
        act()
    except wanted:
        return
    except Exception as error:
        raise AssertionError(f"{what} raised {error!r} instead of {wanted.__name__}") from error
    raise AssertionError(f"{what} did not raise {wanted.__name__}")
