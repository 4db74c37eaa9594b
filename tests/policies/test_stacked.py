"""Tests for policies/stacked.py."""

import numpy as np
import pytest
from fakes import INTERFACE, an_observation, stacked
from hypothesis import given
from hypothesis import strategies as st

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.interface import INSTRUCTION_CHARACTERS
from tinyvla_gym.policies.stacked import bytes_to_instruction, instruction_to_bytes, unbatch


@given(st.text(INSTRUCTION_CHARACTERS, max_size=256))
def test_sentences_survive_as_bytes(instruction) -> None:
    codes = instruction_to_bytes(instruction)

    assert codes.shape == (256,)
    assert codes.dtype == np.uint8
    assert bytes_to_instruction(codes) == instruction


def test_unbatch_gives_back_each_envs_observation() -> None:
    shown = [an_observation(x_m=0.1, instruction="go"), an_observation(x_m=0.2, instruction="")]

    for one, wanted in zip(unbatch(stacked(*shown), INTERFACE), shown, strict=True):
        assert INTERFACE.observation_space().contains(one)
        for key, value in wanted.items():
            np.testing.assert_array_equal(one[key], value)


def test_unbatch_turns_channels_last_again() -> None:
    rows = np.arange(12 * 16 * 3, dtype=np.uint8).reshape(1, 12, 16, 3)
    shown = {**stacked(an_observation()), "image_front": rows.transpose(0, 3, 1, 2)}

    np.testing.assert_array_equal(unbatch(shown, INTERFACE)[0]["image_front"], rows[0])


def test_unbatch_names_what_does_not_fit() -> None:
    shown = stacked(an_observation())

    with pytest.raises(ConfigError, match=r"reads state of shape \(N, 2\), got \(1, 3\)"):
        unbatch({**shown, "state": np.zeros((1, 3), np.float32)}, INTERFACE)
    with pytest.raises(ConfigError, match=r"image_front of shape \(N, 12, 16, 3\)"):
        unbatch({**shown, "image_front": np.zeros((1, 16, 12, 3), np.uint8)}, INTERFACE)
    with pytest.raises(ConfigError, match="reads instruction, but there is only state"):
        unbatch(
            {
                "state": shown["state"],
                "image_front": shown["image_front"],
                "image_wrist": shown["image_wrist"],
            },
            INTERFACE,
        )
