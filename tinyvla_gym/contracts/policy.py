"""What the rest of the package relies on in a policy."""

from collections.abc import Sequence
from copy import deepcopy
from typing import cast

import numpy as np
from gymnasium.utils.env_checker import data_equivalence

from tinyvla_gym.errors import InstructionError
from tinyvla_gym.interface import ActionChunk, Observation
from tinyvla_gym.policies.policy import Policy

PLAIN = "pick up the cup"


def check_policy(policy: Policy) -> None:
    """Asserts that a policy does what its own spec says.

    It may refuse a sentence by ``InstructionError``, such as one that is too long for it, but not
    every sentence.

    Args:
        policy: The policy to check; it is reset.

    Raises:
        AssertionError: Naming the first promise that was broken.
    """
    space = policy.spec.interface.observation_space()
    space.seed(0)
    seen = [_readable(policy, cast(Observation, space.sample())) for _ in range(2)]
    for check in (_plans_fit_the_spec, _sampling_follows_the_seed, _a_batch_is_its_rows):
        check(policy, seen)


def _readable(policy: Policy, seen: Observation) -> Observation:
    """The same sight with a plain sentence, if its own is refused."""
    for sentence in (seen["instruction"], PLAIN):
        said = {**seen, "instruction": sentence}
        try:
            policy.plan(said)
        except InstructionError as error:
            refusal = error
        else:
            return said
    raise AssertionError(f"the policy refuses a plain sentence: {refusal}")


def _plans_fit_the_spec(policy: Policy, seen: Sequence[Observation]) -> None:
    spec = policy.spec
    wanted = (spec.horizon, len(spec.interface.action))
    before = deepcopy(seen[0])
    policy.reset(seed=0)
    chunk = policy.plan(seen[0])
    same = data_equivalence(before, seen[0], exact=True)
    assert same, "plan() changed the observation that it was given"
    assert chunk.shape == wanted, f"plan() returned shape {chunk.shape}, its spec says {wanted}"
    assert chunk.dtype == np.float32, f"plan() returned {chunk.dtype}, actions are float32"
    assert np.isfinite(chunk).all(), "plan() returned NaN or infinite actions"


def _sampling_follows_the_seed(policy: Policy, seen: Sequence[Observation]) -> None:
    first, again = _seeded_plan(policy, seen[0]), _seeded_plan(policy, seen[0])
    assert np.array_equal(first, again), "plan() differs after reset(seed=0): sampling is unseeded"
    assert not np.shares_memory(first, again), "plan() returned the same array twice"
    policy.reset(seed=0)
    policy.reset()
    later = policy.plan(seen[0])
    assert np.array_equal(first, later), "reset() without a seed touched the generator"


def _a_batch_is_its_rows(policy: Policy, seen: Sequence[Observation]) -> None:
    single = _seeded_plan(policy, seen[0])
    policy.reset(seed=0)
    batched = policy.plan_batch(seen[:1])
    wanted = (1, *single.shape)
    assert batched.shape == wanted, f"plan_batch() returned shape {batched.shape}, not {wanted}"
    assert _close(batched[0], single), "plan_batch() of one observation differs from plan()"
    shape = policy.spec.noise_shape
    if shape is None:
        rows = [_seeded_plan(policy, observation) for observation in seen]
        policy.reset(seed=0)
        together = policy.plan_batch(seen)
    else:
        noise = np.random.default_rng(0).standard_normal((len(seen), *shape), np.float32)
        rows = [policy.plan_batch([o], noise=n[None])[0] for o, n in zip(seen, noise, strict=True)]
        together = policy.plan_batch(seen, noise=noise)
        other = policy.plan_batch(seen, noise=-noise)
        assert not np.array_equal(together, other), "plan_batch() ignores its noise"
    for row, plan in zip(together, rows, strict=True):
        assert _close(row, plan), "a row of plan_batch() depends on the other rows"


def _seeded_plan(policy: Policy, observation: Observation) -> ActionChunk:
    policy.reset(seed=0)
    return policy.plan(observation)


def _close(one: ActionChunk, other: ActionChunk) -> bool:
    return np.allclose(one, other, rtol=1e-5, atol=1e-5)
