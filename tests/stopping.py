"""How an emulated arm comes to rest after somebody was killed, and how fast it must."""

import logging
import time

import numpy as np

from tinyvla_gym.robots.drivers import ur
from tinyvla_gym.robots.ur_forward import UrKinematics

RESTS_RAD_S = 0.005
SLOWS_S, STOPS_S, TRAVELS_M = 0.25, 0.5, 0.10


def wait_until(happens, timeout_s=30.0):
    """Waits for something that other processes bring about."""
    deadline_s = time.monotonic() + timeout_s
    while not happens():
        assert time.monotonic() < deadline_s, "it never happened"
        time.sleep(0.01)


def assert_comes_to_rest(rig, emulators, victim, kill):
    """Kills somebody while the first arm moves, and watches that arm."""
    wait_until(lambda: np.abs(emulators[0].look("machine.speeds_rad_s")).max() > 0.1)
    for emulator in emulators:
        emulator.put("machine.watchdog_hz", ur.WATCHDOG_HZ)  # what anybody but a test asks for
    killed_s = emulators[0].look("machine.time_s")
    kill()
    rows = watch(emulators[0], UrKinematics.of(rig.arms[0]), 1.2)
    assert_stopped(rows, killed_s, victim)


def watch(emulator, kinematics, duration_s):
    """Emulated time, tool position and joint speeds, as often as the pipe allows."""
    rows, end_s = [], time.monotonic() + duration_s
    while time.monotonic() < end_s:
        reading = emulator.call("machine.reading")
        position_m, _ = kinematics.tool_pose(np.array(reading["actual_q"]))
        speed_rad_s = float(np.abs(reading["actual_qd"]).max())
        rows.append((reading["timestamp"], *position_m, speed_rad_s))
        time.sleep(0.002)
    return np.array(rows)


def assert_stopped(rows, killed_s, victim):
    """Slows soon, rests soon, and has not gone far."""
    speeds = rows[:, -1]
    trace = np.round(rows[:: max(1, len(rows) // 40), [0, -1]] - (killed_s, 0.0), 3).tolist()
    assert speeds[-1] < RESTS_RAD_S, f"seconds since, and speed: {trace}"
    resting = int(np.flatnonzero(speeds >= RESTS_RAD_S)[-1]) + 1
    rest_s = rows[resting, 0] - killed_s
    slower = speeds < 0.98 * np.maximum.accumulate(speeds)
    slowing_s = rows[int(np.argmax(slower)), 0] - killed_s
    travelled_m = float(np.linalg.norm(np.diff(rows[:, 1:4], axis=0), axis=1).sum())
    measured = f"slows after {slowing_s:.3f} s, rests after {rest_s:.3f} s, {travelled_m:.3f} m"
    logging.getLogger(__name__).warning("%s killed: %s", victim, measured)
    assert slowing_s <= SLOWS_S, measured
    assert rest_s <= STOPS_S, measured
    assert travelled_m <= TRAVELS_M, measured
