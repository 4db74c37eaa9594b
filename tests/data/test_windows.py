import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyvla_gym.data.windows import Windows, chunk_indices
from tinyvla_gym.errors import ConfigError

lengths = st.lists(st.integers(1, 8), min_size=1, max_size=5)
horizons = st.integers(1, 10)
offsets = st.integers(-10, 10)


def test_past_the_end_the_last_frame_repeats():
    rows, is_pad = chunk_indices([3], [0], [5], 4)

    assert rows.tolist() == [[3, 4, 4, 4]]
    assert is_pad.tolist() == [[False, False, True, True]]


def test_before_the_start_the_first_frame_repeats():
    rows, is_pad = chunk_indices([11], [10], [15], 4, -2)

    assert rows.tolist() == [[10, 10, 11, 12]]
    assert is_pad.tolist() == [[True, False, False, False]]


@given(lengths, horizons, offsets)
def test_every_row_is_the_action_of_its_tick_or_marked(lengths, horizon, offset):
    ends = np.cumsum(lengths)
    starts = ends - lengths
    actions = np.arange(ends[-1], dtype=np.float32)[:, None]
    windows = Windows(actions, starts, ends, horizon=horizon, offset=offset)

    batch = windows.take(np.arange(len(windows)))

    assert len(windows) == ends[-1]
    for window, frame in enumerate(batch.frame):
        episode = np.searchsorted(ends, frame, side="right")
        for k in range(horizon):
            tick = frame + offset + k
            inside = starts[episode] <= tick < ends[episode]
            nearest = min(max(tick, starts[episode]), ends[episode] - 1)
            assert batch.is_pad[window, k] == (not inside)
            assert batch.chunk[window, k, 0] == nearest


@given(lengths, horizons, offsets)
def test_one_window_is_a_row_of_the_batch(lengths, horizon, offset):
    ends = np.cumsum(lengths)
    actions = np.random.default_rng(0).normal(size=(ends[-1], 2)).astype(np.float32)
    windows = Windows(actions, ends - lengths, ends, horizon=horizon, offset=offset)

    batch, one = windows.take([len(windows) - 1]), windows[-1]

    assert one.chunk.shape == (horizon, 2)
    assert one.is_pad.shape == (horizon,)
    assert one.frame == batch.frame[0]
    np.testing.assert_array_equal(one.chunk, batch.chunk[0])
    np.testing.assert_array_equal(one.is_pad, batch.is_pad[0])


def test_episodes_that_were_not_chosen_are_left_out():
    actions = np.arange(9, dtype=np.float32)[:, None]

    windows = Windows(actions, [0, 6], [3, 9], horizon=2)

    assert windows.frames.tolist() == [0, 1, 2, 6, 7, 8]
    assert windows[2].chunk.tolist() == [[2], [2]]


def test_a_window_beyond_the_last_is_refused():
    windows = Windows(np.zeros((3, 1), np.float32), [0], [3], horizon=2)

    with pytest.raises(IndexError):
        windows[3]


@pytest.mark.parametrize(("starts", "ends", "horizon"), [([0], [3], 0), ([0], [0], 1)])
def test_empty_chunks_and_episodes_are_refused(starts, ends, horizon):
    with pytest.raises(ConfigError):
        Windows(np.zeros((3, 1), np.float32), starts, ends, horizon=horizon)
