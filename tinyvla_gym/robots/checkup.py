"""A look at a rig before it is driven: what its controllers say, and how steadily they say it.

Nothing here moves an arm; ``nudge.py`` does.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tinyvla_gym.errors import MissingExtraError, UnknownNameError
from tinyvla_gym.robots.camera import CameraError, camera_source
from tinyvla_gym.robots.controller_facts import ControllerFacts
from tinyvla_gym.robots.drivers.choose import arm_driver
from tinyvla_gym.robots.drivers.franka import FrankaArm
from tinyvla_gym.robots.drivers.franky_session import keeps_deadlines
from tinyvla_gym.robots.drivers.ur import UrArm
from tinyvla_gym.robots.readiness import (
    PAYLOAD_AWAY_MAX_KG,
    RESIDUAL_MAX_M,
    TCP_AWAY_MAX_M,
    UNSET,
)
from tinyvla_gym.robots.robot import ConnectError
from tinyvla_gym.robots.spec import ArmSpec, CameraSpec, RigSpec
from tinyvla_gym.robots.state import Condition

_WATCH_S = 2.0
_RATE_FRAC = 0.9  # of the rate that the rig runs at
_SLIDER_FRAC = 0.99


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of a checkup.

    Attributes:
        name: What was looked at.
        fact: What was found.
        verdict: ``ok``; ``warn``, good to know; or ``broken``: do not drive it so.
        remedy: What to do about it.
    """

    name: str
    fact: str
    verdict: Literal["ok", "warn", "broken"] = "ok"
    remedy: str = ""


def finding(
    name: str, fact: str, fine: bool, remedy: str, otherwise: Literal["warn", "broken"] = "broken"
) -> Finding:
    """A finding whose remedy is told only if it is needed."""
    if fine:
        return Finding(name=name, fact=fact)
    return Finding(name=name, fact=fact, verdict=otherwise, remedy=remedy)


def check_file(rig: RigSpec, *, live: bool) -> Iterator[Finding]:
    """What is still to be filled in; two arms that shall move must know where the other one is."""
    known = rig.serial != UNSET
    yield finding("serial", rig.serial, known, "write the controllers' into the rig file", "warn")
    if len(rig.arms) == 2:
        residual_m = rig.calibration_residual_m
        fact = "never done" if residual_m is None else f"{1e3 * residual_m:.1f} mm residual"
        fine = residual_m is not None and residual_m <= RESIDUAL_MAX_M
        otherwise = "broken" if live else "warn"
        yield finding("calibration", fact, fine, "run: tinyvla-gym calibrate", otherwise)
    if rig.arms[0].driver in ("franky", "panda_py"):
        fine = keeps_deadlines()
        remedy = "install a kernel with PREEMPT_RT, else the robot will complain of late commands"
        yield finding("kernel", "real-time" if fine else "not real-time", fine, remedy, "warn")


def connect(arm: ArmSpec, *, period_s: float) -> tuple[FrankaArm | UrArm | None, Finding]:
    """Connects to one arm; None where that failed."""
    driver = arm_driver(arm, period_s=period_s)
    name = f"{arm.name}: connection"
    try:
        driver.connect()
    except MissingExtraError as error:
        return None, Finding(name=name, fact="no library", verdict="broken", remedy=str(error))
    except ConnectError as error:
        remedy = "switch it on, unlock it, allow remote control, and look at its address"
        return None, Finding(name=name, fact=str(error), verdict="broken", remedy=remedy)
    return driver, Finding(name=name, fact=f"{arm.model} at {arm.host}")


def check_facts(arm: ArmSpec, facts: ControllerFacts) -> Iterator[Finding]:
    """What the controller says, beside what the file says."""
    yield Finding(name=f"{arm.name}: software", fact=facts.software)
    if facts.serial is not None:
        yield Finding(name=f"{arm.name}: serial", fact=facts.serial)
    if facts.remote_control is not None:
        fact = "on" if facts.remote_control else "off"
        remedy = "switch it on at the pendant"
        yield finding(f"{arm.name}: remote control", fact, facts.remote_control, remedy)
    off_m = float(np.linalg.norm(facts.flange_to_tcp_m - np.array(arm.tcp_offset_m)))
    known = ", ".join(f"{entry:.4f}" for entry in facts.flange_to_tcp_m)
    remedy = f"the file says {list(arm.tcp_offset_m)} m; set one of them right"
    yield finding(
        f"{arm.name}: tool", f"({known}) m from the flange", off_m <= TCP_AWAY_MAX_M, remedy
    )
    fine = abs(facts.payload_kg - arm.payload_kg) <= PAYLOAD_AWAY_MAX_KG
    remedy = f"the file says {arm.payload_kg} kg; set one of them right"
    yield finding(f"{arm.name}: payload", f"{facts.payload_kg:.2f} kg", fine, remedy)


def check_condition(arm: ArmSpec, driver: FrankaArm | UrArm) -> Iterator[Finding]:
    """Whether it would let itself be moved, and how fast."""
    condition = driver.read(time.monotonic()).condition
    fine = condition is Condition.OK
    yield finding(f"{arm.name}: condition", condition.value, fine, "clear it at the robot")
    if isinstance(driver, UrArm):
        share = driver.speed_scaling
        fact, fine = f"{100 * share:.0f} %", share >= _SLIDER_FRAC
        remedy = "move it to 100 %: slower arms fall behind their commands, and rule 12 stops them"
        yield finding(f"{arm.name}: speed slider", fact, fine, remedy, "warn")


def check_camera(rig: RigSpec, camera: CameraSpec) -> Iterator[Finding]:
    """Whether a camera is there, and how often its pictures come."""
    try:
        source = camera_source(camera)
        source.open()
    except (CameraError, MissingExtraError, UnknownNameError) as error:
        remedy = "look at its cable, and at its device in the rig file"
        name = f"camera {camera.name}"
        yield Finding(name=name, fact=str(error), verdict="broken", remedy=remedy)
        return
    try:
        yield from check_rhythm(
            f"camera {camera.name}",
            lambda _: source.read().time_s,
            wanted_hz=camera.fps,
            longest_s=rig.limits.camera_stale_s,
        )
    finally:
        source.close()


def check_rhythm(
    name: str,
    stamp: Callable[[float], float],
    *,
    wanted_hz: float,
    longest_s: float,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Finding]:
    """How often something new comes, and how long the longest wait for it is.

    Args:
        name: Of an arm or a camera.
        stamp: The stamp [s] of its newest reading, given the time now [s].
        wanted_hz: The rate at which it should come [Hz].
        longest_s: The longest wait that is allowed [s].
        now: The time [s].
        sleep: Waits so many seconds.
    """
    began_s = now()
    stamps_s = [stamp(began_s)]
    while now() - began_s < _WATCH_S:
        sleep(0.5 / wanted_hz)
        newest_s = stamp(now())
        if newest_s != stamps_s[-1]:
            stamps_s.append(newest_s)
    rate_hz = (len(stamps_s) - 1) / (now() - began_s)
    remedy = "look at cable and switch; is the computer busy with something else?"
    fact = f"{rate_hz:.0f} Hz of {wanted_hz:.0f}"
    yield finding(f"{name}: rate", fact, rate_hz >= _RATE_FRAC * wanted_hz, remedy)
    waits_s = np.diff([*stamps_s, now()])  # nothing at all is a wait, too
    longest_fact = f"{1e3 * np.percentile(waits_s, 99):.0f} ms (99 %), {1e3 * waits_s.max():.0f} ms"
    fine = bool(waits_s.max() <= longest_s)
    yield finding(f"{name}: longest wait", f"{longest_fact} at most", fine, remedy)
