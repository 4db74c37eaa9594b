"""How an env reaches a rig, and the rig that lives in the env's own process, in virtual time."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.drivers.simulated import SimulatedArm
from tinyvla_gym.robots.faults import RigFault
from tinyvla_gym.robots.ring import Ring
from tinyvla_gym.robots.robot import ArmDriver
from tinyvla_gym.robots.servo import Rings, Servo
from tinyvla_gym.robots.spec import RigSpec

Due = Sequence[tuple[float, NDArray[np.float32]]]
"""Times at which actions are due [s], in order, and the actions, shape (A,)."""


class Body(Protocol):
    """A rig with its controller, wherever that runs. The env is the only one who calls."""

    ticks: Ring
    """What the arms said and were told in every tick; rows of ``rows.tick_row``."""
    events: Ring
    """Every intervention; rows of ``rows.EVENT``."""

    def now(self) -> float:
        """The time on the controller's clock [s]."""
        ...

    def reset(self, *, recover: bool) -> None:
        """Connects if need be, brings the arms home, and waits; see ``Servo.reset``."""

    def submit(self, due: Due) -> None:
        """Hands actions to the controller, which takes them all or refuses them all.

        Raises:
            EnvFaultedError: If a fault is latched.
            ActionRefused: Rules 1 and 3 to 6; the arms hold.
            ActionNotFiniteError: Rule 2; the arms hold.
        """

    def wait_until(self, time_s: float) -> None:
        """Lets the controller run until a time [s]."""

    def fault(self) -> RigFault | None:
        """What the rig is stopped by."""
        ...

    def park(self) -> None:
        """No episode runs any more: silence is no reason to stop."""

    def close(self) -> None:
        """Lets go of the arms, which hold. Safe any number of times."""


class VirtualBody:
    """A rig in virtual time: the clock stands still unless someone waits. Equal calls, equal ticks.

    Simulated twins put their own drivers here.
    """

    def __init__(self, rig: RigSpec, arms: Sequence[ArmDriver] | None = None) -> None:
        """Prepares.

        Args:
            rig: The facts.
            arms: One driver per arm; perfect simulated arms when None.
        """
        period_s = rig.period_s
        self._rig, self._period_s, self._ticked = rig, period_s, 0
        self._arms = arms or [SimulatedArm(arm, period_s=period_s) for arm in rig.arms]
        self._connected = False
        self._begin()

    def now(self) -> float:
        """See ``Body``."""
        return self._ticked * self._period_s

    def reset(self, *, recover: bool) -> None:
        """See ``Body``; the clock begins at zero again."""
        if not self._connected:
            self._servo.connect(live=False)
            self._connected = True
        self._servo.reset(lambda: 0.0, recover=recover)
        self._ticked = 0

    def submit(self, due: Due) -> None:
        """See ``Body``."""
        self._servo.submit(self.now(), due)

    def wait_until(self, time_s: float) -> None:
        """See ``Body``."""
        while (self._ticked + 1) * self._period_s <= time_s + 1e-9:
            self._ticked += 1
            self._servo.tick(self.now())

    def fault(self) -> RigFault | None:
        """See ``Body``."""
        return self._servo.fault

    def park(self) -> None:
        """See ``Body``; time stands still anyway."""

    def close(self) -> None:
        """See ``Body``."""
        self._servo.close()

    def _begin(self) -> None:
        rings = Rings(self._rig)
        self.ticks, self.events = rings.ticks, rings.events
        self._servo = Servo(self._rig, self._arms, rings)
