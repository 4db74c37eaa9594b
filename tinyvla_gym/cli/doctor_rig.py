"""The part of ``tinyvla-gym doctor`` that looks at a rig, and moves it only when it may."""

import contextlib
from collections.abc import Iterator

from tinyvla_gym.cli.console import console
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.robots import checkup
from tinyvla_gym.robots.checkup import Finding, finding
from tinyvla_gym.robots.drivers.franka import FrankaArm
from tinyvla_gym.robots.drivers.ur import UrArm
from tinyvla_gym.robots.faults import RigFault, StartPoseError
from tinyvla_gym.robots.nudge import RISE_M, nudge
from tinyvla_gym.robots.readiness import UNSET
from tinyvla_gym.robots.spec import ArmSpec, RigSpec

_RISE_FRAC = {"joint": 0.8, "pose": 0.3}  # an impedance leaves to friction what it does not pull


def examine(rig: RigSpec, *, live: bool) -> Iterator[Finding]:
    """Looks at a rig, line by line.

    Args:
        rig: The rig.
        live: Whether its arms may rise by 1 cm, once its serial has been typed.

    Raises:
        ConfigError: If ``live`` is asked of a rig whose file has no serial.
    """
    if live and rig.serial == UNSET:
        raise ConfigError("--live needs a rig file with the serial of its controllers.")
    broken = False
    drivers: dict[str, FrankaArm | UrArm] = {}
    with contextlib.ExitStack() as connections:
        for one in _look_at_all(rig, drivers, connections, live=live):
            broken = broken or one.verdict == "broken"
            yield one
        if live and broken:
            yield finding("test move", "not made", False, "mend first what is broken")
        elif live:
            yield from _move(rig, drivers)


def _look_at_all(
    rig: RigSpec,
    drivers: dict[str, FrankaArm | UrArm],
    connections: contextlib.ExitStack,
    *,
    live: bool,
) -> Iterator[Finding]:
    """Looks at the file, the arms, which it connects, and the cameras."""
    yield from checkup.check_file(rig, live=live)
    for arm in rig.arms:
        driver, connection = checkup.connect(arm, period_s=rig.period_s)
        yield connection
        if driver is not None:
            connections.callback(driver.close)
            drivers[arm.name] = driver
            yield from _look(rig, arm, driver)
    for camera in rig.cameras:
        yield from checkup.check_camera(rig, camera)


def _look(rig: RigSpec, arm: ArmSpec, driver: FrankaArm | UrArm) -> Iterator[Finding]:
    try:
        yield from checkup.check_facts(arm, driver.facts())
        yield from checkup.check_condition(arm, driver)
    except RigFault as error:
        yield finding(f"{arm.name}: condition", str(error), False, "clear it at the robot")
    yield from checkup.check_rhythm(
        arm.name,
        lambda now_s: driver.read(now_s).stamp_s,
        wanted_hz=1 / rig.period_s,
        longest_s=rig.limits.state_hold_s,
    )


def _move(rig: RigSpec, drivers: dict[str, FrankaArm | UrArm]) -> Iterator[Finding]:
    name = "test move"
    console.print(f"The arms will rise by {100 * RISE_M:.0f} cm. One hand on the stop button!")
    typed = console.input(f"Type the rig's serial ({rig.serial}) to let them: ").strip()
    if typed != rig.serial:
        yield finding(name, "not made: another serial was typed", False, "type it as it is shown")
        return
    try:
        risen_m = nudge(rig, drivers)
    except (RigFault, StartPoseError) as error:
        yield finding(name, str(error), False, "clear the cause, then try again")
        return
    least_m = _RISE_FRAC[rig.arms[0].arm.tracking] * RISE_M
    for arm, rise_m in risen_m.items():
        fine = least_m <= rise_m <= 2 * RISE_M
        remedy = "is the payload right, and lag_s in the rig file?"
        yield finding(f"{arm}: {name}", f"rose {1e3 * rise_m:.1f} mm of 10", fine, remedy)
