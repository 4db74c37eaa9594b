"""Compiled models, one per task and process, lent to the simulators that share it."""

# pyright: reportAttributeAccessIssue=false
# (mujoco ships no types)

from dataclasses import dataclass
from functools import cache
from threading import RLock

import mujoco
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Places:
    """All that MetaWorld changes about a model: where bodies and markers sit in their parents.

    Attributes:
        bodies_m: Shape (bodies, 3).
        sites_m: Shape (sites, 3).
    """

    bodies_m: NDArray[np.float64]
    sites_m: NDArray[np.float64]


@dataclass(frozen=True)
class Settled:
    """How a simulation stands one tick before the hand has settled.

    Attributes:
        given: What that follows from: the places of the bodies, and where the hand goes.
        state: MuJoCo's whole integration state.
    """

    given: bytes
    state: NDArray[np.float64]


class SharedModel:
    """A model with a lock, and with the places of the simulator that used it last.

    MetaWorld writes into its model at every reset, so a simulator that steps, resets or is built
    holds ``lock`` and has called ``lend`` with its own places before.
    """

    settled: Settled | None = None

    def __init__(self, path: str) -> None:
        """Compiles the model.

        Args:
            path: MetaWorld's XML file.
        """
        self.model = mujoco.MjModel.from_xml_path(path)
        self.lock = RLock()
        self._bodies_m, self._sites_m = self.model.body_pos, self.model.site_pos
        self.pristine = self.current_places()

    def current_places(self) -> Places:
        """Notes where things are now."""
        self._lent = Places(self._bodies_m.copy(), self._sites_m.copy())
        return self._lent

    def lend(self, places: Places) -> None:
        """Puts things where a simulator left them, unless it was the last to borrow."""
        if self._lent is not places:
            self._bodies_m[:] = places.bodies_m
            self._sites_m[:] = places.sites_m
            self._lent = places


shared_model = cache(SharedModel)
"""Returns this process's one model for an XML file, compiled at the first call."""
