"""A first motion: every tool rises by a centimetre and comes back, through the safety filter."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from tinyvla_gym import pose
from tinyvla_gym.robots.controller import Controller
from tinyvla_gym.robots.robot import ArmDriver
from tinyvla_gym.robots.spec import RigSpec
from tinyvla_gym.robots.state import ArmState

RISE_M = 0.01
_UP_S, _STAY_S, _BACK_S, _OVER_S = 1.0, 2.0, 3.0, 3.5


def nudge(
    rig: RigSpec,
    drivers: Mapping[str, ArmDriver],
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, float]:
    """Moves all arms of a rig; they must be connected.

    Args:
        rig: The rig.
        drivers: A driver for each arm, by name.
        now: The time [s].
        sleep: Waits so many seconds.

    Returns:
        How far each tool rose, as measured [m].

    Raises:
        RigFault: If something stopped the rig.
        StartPoseError: If an arm stands outside its limits.
    """
    rig = replace(rig, control="ee", state=None)
    ups = {arm.name: arm.base_rotation.T @ np.array([0.0, 0.0, 1.0]) for arm in rig.arms}
    start_s = due_s = now()
    first = {name: driver.read(start_s) for name, driver in drivers.items()}
    controller = Controller(rig, first, start_s)
    there, back = (_action(rig, first, ups, rise_m) for rise_m in (RISE_M, 0.0))
    way = ((_UP_S, there), (_STAY_S, there), (_BACK_S, back))
    controller.submit(start_s, [(start_s + due_s, action) for due_s, action in way])
    risen_m = dict.fromkeys(drivers, 0.0)
    try:
        while (now_s := now()) - start_s < _OVER_S:
            states = {name: driver.read(now_s) for name, driver in drivers.items()}
            controller.heartbeat(now_s)
            commands = controller.tick(now_s, states)
            for arm, command in zip(rig.arms, commands.arms, strict=True):
                drivers[arm.name].servo(command)
                way_m = states[arm.name].tcp_position_m - first[arm.name].tcp_position_m
                risen_m[arm.name] = max(risen_m[arm.name], float(way_m @ ups[arm.name]))
            if commands.fault:
                raise commands.fault
            due_s = max(due_s + rig.period_s, now())
            sleep(max(0.0, due_s - now()))
    finally:
        for driver in drivers.values():
            driver.stop()
    return risen_m


def _action(
    rig: RigSpec,
    states: Mapping[str, ArmState],
    ups: Mapping[str, np.ndarray],
    rise_m: float,
) -> np.ndarray:
    """The action that asks every tool to be so far above where it was."""
    parts = []
    for arm in rig.arms:
        state = states[arm.name]
        at_m = state.tcp_position_m + rise_m * ups[arm.name]
        parts.append(pose.pack(at_m, state.tcp_rotation, state.gripper_open_frac))
    return np.concatenate(parts)
