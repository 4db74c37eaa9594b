"""A dry run: the real arm's sensors are read, and only its simulated shadow moves."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.drivers.simulated import SimulatedArm
from tinyvla_gym.robots.faults import OperatorRequired
from tinyvla_gym.robots.robot import ArmDriver
from tinyvla_gym.robots.spec import ArmSpec
from tinyvla_gym.robots.state import ArmCommand, ArmState, Condition


class ShadowArm:
    """Joints, tool and gripper are the shadow's; forces, stamp and condition the real arm's.

    That nobody's program runs on the real controller is no fault here: nobody drives it.
    """

    def __init__(self, spec: ArmSpec, real: ArmDriver, *, period_s: float) -> None:
        """Pairs a real arm with a shadow, which begins where the real one stands."""
        self.spec = spec
        self._real, self._period_s = real, period_s
        self._shadow = SimulatedArm(spec, period_s=period_s)

    def connect(self) -> None:
        """See ``ArmDriver``."""
        self._real.connect()
        here = replace(self._real.read(0.0), condition=Condition.OK)
        self._shadow = SimulatedArm(self.spec, period_s=self._period_s, start=here)

    def read(self, now_s: float) -> ArmState:
        """See ``ArmDriver``."""
        real, shadow = self._real.read(now_s), self._shadow.read(now_s)
        idle = real.condition is Condition.PROGRAM_STOPPED
        return replace(
            shadow,
            stamp_s=real.stamp_s,
            force_n=real.force_n,
            external_torques_nm=real.external_torques_nm,
            condition=shadow.condition if idle else real.condition,
        )

    def servo(self, command: ArmCommand) -> None:
        """Moves the shadow."""
        self._shadow.servo(command)

    def move_home(self, joints_rad: NDArray[np.float64], *, speed_rad_s: float) -> None:
        """Moves the shadow."""
        self._shadow.move_home(joints_rad, speed_rad_s=speed_rad_s)

    def stay(self) -> None:
        """See ``ArmDriver``; nobody drives the real arm, so nothing watches it."""

    def stop(self) -> None:
        """Stops the shadow."""
        self._shadow.stop()

    def recover(self) -> None:
        """Recovers the shadow; a stop of the real arm is its operator's business in a dry run."""
        condition = self._real.read(0.0).condition
        if condition not in (Condition.OK, Condition.PROGRAM_STOPPED):
            raise OperatorRequired(self.spec.name, f"{condition.value}.")
        self._shadow.recover()

    def close(self) -> None:
        """See ``ArmDriver``."""
        self._real.close()
