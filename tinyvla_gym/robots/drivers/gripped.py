"""An arm together with a Robotiq gripper, which is spoken to from a thread of its own."""

import contextlib
import threading
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.controller_facts import ControllerFacts, TellsFacts
from tinyvla_gym.robots.drivers.robotiq import RobotiqGripper
from tinyvla_gym.robots.robot import ArmDriver
from tinyvla_gym.robots.spec import ArmSpec
from tinyvla_gym.robots.state import ArmCommand, ArmState, Condition

_ASK_S = 1 / 30  # the gripper's server answers no faster


class GrippedArm:
    """The arm's driver, with openings that were measured and are obeyed.

    Only the newest opening is sent; a tick never waits for the gripper. A gripper that does not
    answer any more stops the arm as a lost connection does.
    """

    def __init__(self, spec: ArmSpec, arm: ArmDriver) -> None:
        """Prepares; nothing is opened before ``connect``."""
        self._arm = arm
        self._gripper = RobotiqGripper(spec.name, spec.host, spec.gripper)
        self._wanted_frac: float | None = None
        self._opening_frac = 1.0
        self._broken = False
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def connect(self) -> None:
        """See ``ArmDriver``. The gripper activates, which moves its fingers."""
        self._gripper.connect()
        self._begin()
        self._arm.connect()

    def read(self, now_s: float) -> ArmState:
        """See ``ArmDriver``."""
        state = self._arm.read(now_s)
        lost = self._broken and state.condition is Condition.OK
        condition = Condition.CONTROL_LOST if lost else state.condition
        return replace(state, gripper_open_frac=self._opening_frac, condition=condition)

    def servo(self, command: ArmCommand) -> None:
        """See ``ArmDriver``."""
        if not command.release:
            self._wanted_frac = command.gripper_open_frac
        self._arm.servo(command)

    def move_home(self, joints_rad: NDArray[np.float64], *, speed_rad_s: float) -> None:
        """See ``ArmDriver``; the gripper opens first."""
        self._wanted_frac = 1.0
        self._arm.move_home(joints_rad, speed_rad_s=speed_rad_s)

    def facts(self) -> ControllerFacts:
        """What the arm's controller says about itself."""
        assert isinstance(self._arm, TellsFacts)
        return self._arm.facts()

    def stay(self) -> None:
        """See ``ArmDriver``."""
        self._arm.stay()

    def stop(self) -> None:
        """See ``ArmDriver``; the fingers hold what they hold."""
        self._arm.stop()

    def recover(self) -> None:
        """See ``ArmDriver``."""
        if self._broken:
            self._end()
            self._gripper.connect()
            self._begin()
        self._arm.recover()

    def close(self) -> None:
        """See ``ArmDriver``."""
        self._arm.close()
        self._end()

    def _begin(self) -> None:
        self._over.clear()
        self._broken, self._wanted_frac = False, None
        self._opening_frac = self._gripper.read()
        self._thread = threading.Thread(target=self._speak, daemon=True)
        self._thread.start()

    def _end(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._gripper.close()

    def _speak(self) -> None:
        """Asks and tells, until it is over or the gripper falls silent."""
        with contextlib.suppress(OSError):
            while not self._over.wait(_ASK_S):
                wanted_frac = self._wanted_frac
                if wanted_frac is not None:
                    self._gripper.move(wanted_frac)
                self._opening_frac = self._gripper.read()
            return
        self._broken = True
