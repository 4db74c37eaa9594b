"""The arms of a rig as its file asks for them: driven, or only watched with a shadow in front."""

import time
from collections.abc import Callable

from tinyvla_gym.robots.drivers.choose import arm_driver
from tinyvla_gym.robots.drivers.gripped import GrippedArm
from tinyvla_gym.robots.drivers.shadow import ShadowArm
from tinyvla_gym.robots.drivers.simulated import SimulatedArm
from tinyvla_gym.robots.robot import ArmDriver
from tinyvla_gym.robots.spec import ArmSpec, RigSpec


def assemble(
    rig: RigSpec, *, live: bool, sleep: Callable[[float], None] = time.sleep
) -> list[ArmDriver]:
    """Prepares a driver for every arm; nothing is opened.

    Args:
        rig: The rig.
        live: Whether commands shall reach real arms; if not, they reach simulated shadows.
        sleep: How drivers wait while they bring an arm home.
    """
    return [_assemble(arm, rig.period_s, live=live, sleep=sleep) for arm in rig.arms]


def _assemble(
    spec: ArmSpec, period_s: float, *, live: bool, sleep: Callable[[float], None]
) -> ArmDriver:
    if spec.driver == "simulated":
        return SimulatedArm(spec, period_s=period_s)
    arm = arm_driver(spec, period_s=period_s, sleep=sleep)
    if not live:
        return ShadowArm(spec, arm, period_s=period_s)
    return GrippedArm(spec, arm) if spec.gripper.kind == "robotiq_2f85" else arm
