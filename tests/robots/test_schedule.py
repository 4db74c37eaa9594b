"""Due times of chunks, and the grid of control ticks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyvla_gym.robots.schedule import Grid, due_times

GRID = Grid(start_s=10.0, period_s=0.1)
SECONDS = st.floats(0.0, 5.0)


def test_every_action_is_due_one_period_after_the_other_and_earlier_by_the_lag() -> None:
    due = due_times(3, observed_s=10.0, now_s=10.0, grid=GRID, lag_s=0.05)

    assert due == {0: pytest.approx(10.05), 1: pytest.approx(10.15), 2: pytest.approx(10.25)}


def test_what_is_past_is_left_out() -> None:
    assert list(due_times(4, observed_s=10.0, now_s=10.12, grid=GRID, lag_s=0.1)) == [2, 3]


def test_if_all_is_past_the_last_comes_next() -> None:
    due = due_times(2, observed_s=10.0, now_s=12.0, grid=GRID, lag_s=0.0)

    assert due == {1: pytest.approx(12.1)}


@given(count=st.integers(1, 16), late_s=SECONDS, lag_s=st.floats(0.0, 0.5))
def test_nothing_is_ever_due_in_the_past_and_the_last_is_kept(count, late_s, lag_s) -> None:
    now_s = 10.0 + late_s
    due = due_times(count, observed_s=10.0, now_s=now_s, grid=GRID, lag_s=lag_s)

    assert count - 1 in due
    assert list(due.values()) == sorted(due.values())
    assert min(due.values()) > now_s


@given(number=st.integers(0, 1000), late_s=SECONDS)
def test_a_step_ends_on_the_grid_and_has_half_a_period(number, late_s) -> None:
    now_s = GRID.time_s(number) + late_s
    end_s = GRID.time_s(GRID.next(number, now_s))

    assert end_s - now_s >= 0.5 * GRID.period_s - 1e-6
    assert end_s - now_s < 1.5 * GRID.period_s + 1e-6
    assert GRID.next(number, now_s) > number
