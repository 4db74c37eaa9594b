"""The driver that an arm's rig file asks for."""

import time
from collections.abc import Callable

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.robots.drivers.franka import FrankaArm
from tinyvla_gym.robots.drivers.ur import UrArm
from tinyvla_gym.robots.spec import ArmSpec


def arm_driver(
    arm: ArmSpec, *, period_s: float, sleep: Callable[[float], None] = time.sleep
) -> FrankaArm | UrArm:
    """Prepares the driver of a real arm; nothing is opened.

    Args:
        arm: The arm.
        period_s: Time between two commands [s].
        sleep: How it waits while it brings the arm home.

    Raises:
        ConfigError: If the arm is simulated, so that no driver speaks to it.
    """
    if arm.driver == "simulated":
        raise ConfigError(f"Arm {arm.name} is simulated: there is no controller to speak to.")
    kind = UrArm if arm.driver == "ur_rtde" else FrankaArm
    return kind(arm, period_s=period_s, sleep=sleep)
