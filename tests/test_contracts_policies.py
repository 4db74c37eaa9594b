"""The checks of policies are tested on policies that break one promise each."""

import numpy as np
import pytest
from fakes import INTERFACE, CountingPolicy

from tinyvla_gym.contracts import check_policy
from tinyvla_gym.errors import InstructionError
from tinyvla_gym.policies.simple import RandomPolicy, ZeroPolicy

SHAPE = (8, 2)


class Sampling(CountingPolicy):
    """Plans its noise; the parts that subclasses break."""

    def __init__(self):
        super().__init__(noise_shape=SHAPE)
        self.rng = np.random.default_rng()

    def reset(self, *, seed=None):
        if seed is not None:
            self.rng = np.random.default_rng(seed)

    def plan_batch(self, observations, *, noise=None):
        if noise is None:
            noise = self.rng.standard_normal((len(observations), *SHAPE), np.float32)
        return noise + np.float32([[seen["state"]] for seen in observations])


def test_good_policies_pass() -> None:
    for policy in (CountingPolicy(), Sampling(), ZeroPolicy(INTERFACE), RandomPolicy(INTERFACE)):
        check_policy(policy)


class Choosy(CountingPolicy):
    """Reads sentences of up to so many letters."""

    def __init__(self, longest):
        super().__init__()
        self.longest = longest

    def plan_batch(self, observations, *, noise=None):
        if any(len(seen["instruction"]) > self.longest for seen in observations):
            raise InstructionError("too long")
        return super().plan_batch(observations, noise=noise)

    def plan(self, observation):
        return self.plan_batch([observation])[0]


def test_a_policy_may_refuse_a_sentence_but_not_every_one() -> None:
    check_policy(Choosy(longest=20))
    with pytest.raises(AssertionError, match="refuses a plain sentence: too long"):
        check_policy(Choosy(longest=10))


class Spoiled(CountingPolicy):
    """A good policy whose single plans go through a function."""

    def __init__(self, spoil):
        super().__init__(horizon=8)
        self.spoil = spoil

    def plan(self, observation):
        return self.spoil(super().plan(observation))


CONSTANT = np.zeros(SHAPE, np.float32)
RNG = np.random.default_rng(0)
SPOILED_PLANS = {
    "short": (lambda chunk: chunk[:-1], r"shape \(7, 2\), its spec says \(8, 2\)"),
    "double": (lambda chunk: chunk.astype(np.float64), "actions are float32"),
    "nan": (lambda chunk: chunk * np.float32("nan"), "NaN or infinite"),
    "unseeded": (lambda chunk: chunk + RNG.random(1, np.float32), "sampling is unseeded"),
    "shared": (lambda _: CONSTANT, "the same array twice"),
    "other": (lambda chunk: chunk + 1, r"plan_batch\(\) of one observation differs from plan"),
}


@pytest.mark.parametrize(("spoil", "complaint"), SPOILED_PLANS.values(), ids=SPOILED_PLANS)
def test_a_spoiled_plan_is_named(spoil, complaint) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_policy(Spoiled(spoil))


class Scribbler(CountingPolicy):
    def plan(self, observation):
        observation["state"] += 1
        return super().plan(observation)


class ResetsAnyway(Sampling):
    def reset(self, *, seed=None):
        self.rng = np.random.default_rng(1 if seed is None else seed)


class Unbatched(CountingPolicy):
    def plan(self, observation):
        return super().plan_batch([observation])[0]

    def plan_batch(self, observations, *, noise=None):
        return super().plan_batch(observations)[0]


class DeafToNoise(Sampling):
    def plan_batch(self, observations, *, noise=None):
        return super().plan_batch(observations, noise=None if noise is None else 0 * noise)


class Mixing(Sampling):
    """What one env sees leaks into the plans of the others."""

    def plan_batch(self, observations, *, noise=None):
        chunks = super().plan_batch(observations, noise=noise)
        return chunks + chunks.mean(0, keepdims=True)


class MixingWithoutNoise(CountingPolicy):
    def plan_batch(self, observations, *, noise=None):
        return super().plan_batch(observations) + np.float32(len(observations))


BROKEN_POLICIES = {
    Scribbler: r"plan\(\) changed the observation",
    ResetsAnyway: r"reset\(\) without a seed touched the generator",
    Unbatched: r"plan_batch\(\) returned shape \(8, 2\), not \(1, 8, 2\)",
    DeafToNoise: r"plan_batch\(\) ignores its noise",
    Mixing: "depends on the other rows",
    MixingWithoutNoise: "depends on the other rows",
}


@pytest.mark.parametrize(
    ("broken", "complaint"), BROKEN_POLICIES.items(), ids=lambda x: str(x)[:40]
)
def test_a_broken_policy_is_named(broken, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_policy(broken())
