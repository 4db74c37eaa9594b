import numpy as np
import pytest

from tinyvla_gym.errors import ConfigError, InstructionError


def test_length_is_the_number_of_ticks(make_episode):
    assert len(make_episode(0, ticks=7)) == 7


def test_an_episode_succeeds_if_any_tick_does(make_episode):
    nothing, once = np.zeros(5, np.bool_), np.arange(5) == 2

    assert not make_episode(0, success=nothing).succeeded
    assert make_episode(0, success=once).succeeded


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"reward": np.zeros(4, np.float32)}, "reward must be float32 .* 5 ticks"),
        ({"reward": np.zeros(5)}, "got float64"),
        ({"success": np.zeros(5, np.int64)}, "success must be bool"),
        ({"images": {"near": np.zeros((5, 8, 6, 3), np.float32)}}, "must be uint8"),
        ({"images": {"near": np.zeros((5, 8, 6, 4), np.uint8)}}, "must be RGB"),
        ({"images": {"near": np.zeros((4, 8, 6, 3), np.uint8)}}, "5 ticks"),
        ({"reward": np.float32([0, 1, np.nan, 3, 4])}, "reward is not finite at tick 2"),
    ],
)
def test_arrays_that_do_not_agree_are_refused(make_episode, facts, words):
    with pytest.raises(ConfigError, match=words):
        make_episode(0, **facts)


def test_an_episode_without_ticks_is_refused(make_episode):
    with pytest.raises(ConfigError, match="has no ticks"):
        make_episode(0, ticks=0)


def test_a_sentence_beyond_ascii_is_refused(make_episode):
    with pytest.raises(InstructionError, match="printable ASCII"):
        make_episode(0, instruction="öffne die Schublade")
