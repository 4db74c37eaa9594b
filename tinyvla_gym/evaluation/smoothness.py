"""How smoothly a policy moves: the jerk of the motion that it commands."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.events import Outcome, Step
from tinyvla_gym.interface import Interface, Observation

_METRES = {"m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001}


def commanded_jerk(actions: NDArray[np.floating], interface: Interface) -> float | None:
    """The mean jerk of a commanded path [m/s^3].

    A position's third difference over control ticks, times ``control_hz`` cubed, its length
    averaged over ticks. Only entries in metres count, so that a snapping gripper does not. A
    ``native`` action is the step from one position to the next, so two differences of it are
    three of the path.

    Args:
        actions: What reached the robot, shape (T, A).
        interface: Says which entries are lengths, in which unit, and how fast ticks come.

    Returns:
        None if no entry is a length or the path is too short to have a jerk.
    """
    units = [name.rsplit("_", 1)[-1] for name in interface.action]
    lengths = [place for place, unit in enumerate(units) if unit in _METRES]
    order = 2 if interface.action_mode == "native" else 3
    if not lengths or len(actions) <= order:
        return None
    scale = np.array([_METRES[units[place]] for place in lengths])
    path_m = np.asarray(actions, np.float64)[:, lengths] * scale  # (T, lengths)
    jerk = np.diff(path_m, order, axis=0) * interface.control_hz**3
    return float(np.linalg.norm(jerk, axis=1).mean())


class JerkListener:
    """Measures one episode; ``jerk_m_s3`` is there once it has ended."""

    needs_images = False

    def __init__(self, interface: Interface) -> None:
        """Begins.

        Args:
            interface: Of the env that will be played.
        """
        self.jerk_m_s3: float | None = None
        self._interface = interface
        self._sent: list[NDArray[np.float32]] = []

    def on_reset(self, observation: Observation, info: dict[str, Any]) -> None:
        """Forgets the last episode."""
        self._sent, self.jerk_m_s3 = [], None

    def on_step(self, step: Step) -> None:
        """Notes what reached the robot."""
        self._sent.append(step.sent)

    def on_end(self, outcome: Outcome | None) -> None:
        """Measures."""
        if self._sent:
            self.jerk_m_s3 = commanded_jerk(np.stack(self._sent), self._interface)
