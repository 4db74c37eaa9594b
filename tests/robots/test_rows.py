"""Rings and rows: what one process writes, another reads as it was, or not at all."""

import multiprocessing

import numpy as np
import pytest
from rigs import PAIR, VirtualRig

from tinyvla_gym.errors import ActionNotFiniteError
from tinyvla_gym.robots import alignment, rows
from tinyvla_gym.robots.faults import (
    OperatorRequired,
    ProtectiveStopFault,
    SafetyEvent,
    TargetJumpError,
)
from tinyvla_gym.robots.ring import Ring

ROW = np.dtype([("number", "i8"), ("copies", "i8", (200,))])


def a_row(number):
    row = np.zeros((), ROW)
    row["number"], row["copies"] = number, number
    return row


def test_a_ring_keeps_the_newest_rows_in_order() -> None:
    ring = Ring(ROW, 4)
    assert ring.last() is None
    for number in range(7):
        ring.write(a_row(number))

    found, end = ring.since(0)
    assert (found["number"].tolist(), end) == ([3, 4, 5, 6], 7)
    assert ring.since(6)[0]["number"].tolist() == [6]
    assert ring.since(7)[0]["number"].tolist() == []
    assert ring.last()["number"].tolist() == [6]


def write_many(ring, count):
    for number in range(count):
        ring.write(a_row(number))


def test_another_process_never_shows_half_a_row() -> None:
    ring = Ring(ROW, 4)
    process = multiprocessing.get_context("spawn").Process(target=write_many, args=(ring, 20_000))
    process.start()
    seen, looks = -1, 0
    while process.is_alive() or seen < 19_999:
        found, _ = ring.since(0)
        assert (found["copies"] == found["number"][:, None]).all()
        assert (np.diff(found["number"]) > 0).all()
        if len(found):
            seen, looks = max(seen, int(found["number"][-1])), looks + 1
    process.join()

    assert looks > 1
    ring.close()


def test_events_come_back_as_they_were() -> None:
    event = SafetyEvent(
        time_s=1.5, arm="left", rule=6, name="workspace", original=(1.0, 2.0), applied=(3.0,)
    )

    assert rows.read_event(rows.event_row(event)) == event


@pytest.mark.parametrize(
    "error",
    [
        ProtectiveStopFault("left", "a protective stop."),
        OperatorRequired("right", "an emergency stop."),
        TargetJumpError("left", 0.3, 0.0, (0.15, 0.8)),
        ActionNotFiniteError(["x"], [float("nan")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_come_back_with_their_own_words(error) -> None:
    again = rows.read_error(rows.answer_row(1, 0.0, error))

    assert type(again) is type(error)
    assert str(again) == str(error)
    assert getattr(again, "arm", "") == getattr(error, "arm", "")


def test_good_news_is_no_error() -> None:
    assert rows.read_error(rows.answer_row(1, 0.0, None)) is None


def test_readings_are_brought_to_one_instant() -> None:
    rig = VirtualRig()
    row_type = rows.tick_row(PAIR)
    written = []
    rig.submit(rig.home_action((0.0, 0.0, 0.03)), due_s=0.2)
    for _ in range(30):
        commands = rig.tick()
        row = np.zeros((), row_type)
        states = list(rig.states.values())
        rows.write_tick(row, states, commands)
        row["stamp_s"] = rig.now_s
        written.append(row)
    ticks = np.stack(written)
    instant_s = 0.25 * ticks[20]["stamp_s"][0] + 0.75 * ticks[21]["stamp_s"][0]

    (left, _) = alignment.states_at(ticks, instant_s)

    wanted = 0.25 * ticks[20]["joints_rad"][0] + 0.75 * ticks[21]["joints_rad"][0]
    np.testing.assert_allclose(left.joints_rad, wanted, atol=1e-12)
    np.testing.assert_allclose(left.tcp_rotation @ left.tcp_rotation.T, np.eye(3), atol=1e-9)
    assert left.stamp_s == pytest.approx(instant_s)
    (first, _) = alignment.states_at(ticks, 0.0)
    np.testing.assert_array_equal(first.joints_rad, ticks[0]["joints_rad"][0])
