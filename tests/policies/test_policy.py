"""Tests for policies/policy.py."""

import json
from dataclasses import replace

import pytest
from fakes import INTERFACE

from tinyvla_gym.errors import ChunkLengthError, ConfigError, InterfaceMismatchError
from tinyvla_gym.interface import Camera
from tinyvla_gym.policies.policy import PolicySpec, check_fit

SPEC = PolicySpec(
    name="nano",
    interface=INTERFACE,
    profile="fast-1",
    horizon=8,
    execute=4,
    env_options={"cameras": {"front": 96}},
    noise_shape=(8, 2),
)


def fit(spec, interface, profile):
    check_fit(spec, interface, profile, policy_name="nano", env_name="Reach")


@pytest.mark.parametrize("spec", [SPEC, replace(SPEC, noise_shape=None, profile="")])
def test_a_spec_survives_json(spec) -> None:
    assert PolicySpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_a_spec_with_a_missing_or_strange_key_is_refused() -> None:
    facts = {**SPEC.to_dict(), "horizont": 8}
    del facts["horizon"]

    with pytest.raises(ConfigError, match=r"missing: horizon; unknown: horizont\."):
        PolicySpec.from_dict(facts)


@pytest.mark.parametrize("execute", [0, 9])
def test_a_spec_cannot_promise_to_play_more_than_it_plans(execute) -> None:
    with pytest.raises(ChunkLengthError, match=f"execute={execute} does not fit a chunk of 8"):
        replace(SPEC, execute=execute)


@pytest.mark.parametrize("wrong", [{"horizon": 0}, {"history": 0}])
def test_a_spec_needs_actions_and_observations(wrong) -> None:
    with pytest.raises(ConfigError, match="1 or more"):
        replace(SPEC, **wrong)


def test_a_policy_fits_the_env_it_was_trained_for() -> None:
    fit(SPEC, INTERFACE, "fast-1")


def test_another_interface_is_named_with_both_sides() -> None:
    other = replace(
        INTERFACE, control_hz=10.0, cameras=(Camera(name="front", height=96, width=96),)
    )

    with pytest.raises(InterfaceMismatchError) as failure:
        fit(SPEC, other, "fast-1")

    assert str(failure.value) == (
        "nano cannot drive Reach:\n"
        "  - cameras: front 12x16, wrist 8x8 against front 96x96\n"
        "  - control_hz: 20.0 against 10.0\n"
        "Make the env with gym.make(id, **policy.spec.env_options), or load another policy."
    )


@pytest.mark.parametrize(("profile", "shown"), [("parity-1", "parity-1"), ("", "none")])
def test_other_pictures_are_named_with_both_sides(profile, shown) -> None:
    with pytest.raises(InterfaceMismatchError, match=f"render profile: fast-1 against {shown}\n"):
        fit(SPEC, INTERFACE, profile)


def test_a_policy_without_a_profile_takes_any_pictures() -> None:
    fit(replace(SPEC, profile=""), INTERFACE, "parity-1")
