"""The observations of a vector env in memory that worker processes share."""

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from tinyvla_gym.interface import Observation
from tinyvla_gym.nameless_memory import NamelessMemory


class SharedObservations:
    """One row per env for pictures and state; sentences, being short, go through pipes.

    It travels to a worker as an argument of its ``Process`` and is the same memory there. Both
    sides call ``lay_out`` once the observation space is known.
    """

    def __init__(self) -> None:
        self._memory = NamelessMemory()
        self._rows: dict[str, NDArray[Any]] = {}

    def lay_out(self, space: spaces.Dict, num_envs: int) -> None:
        """Makes room for N observations.

        Args:
            space: A single env's.
            num_envs: N.

        Raises:
            OSError: If the machine does not have so much memory.
        """
        boxes = [(key, box) for key, box in space.items() if isinstance(box, spaces.Box)]
        # align is for speed, and arrays of its own type need it on some processors
        row = np.dtype([(key, box.dtype, box.shape) for key, box in boxes], align=True)
        self._memory.reserve(num_envs * row.itemsize)
        rows = np.frombuffer(self._memory.map(), row, num_envs)
        self._rows = {key: rows[key] for key, _ in boxes}  # each (N, ...)
        self.close()  # the mapping stays

    def write(self, slot: int, observation: Observation) -> str:
        """Puts an env's observation into its row; returns what is left, the sentence."""
        for key, array in self._rows.items():
            array[slot] = observation[key]
        return observation["instruction"]

    def read(self, slot: int, instruction: str) -> Observation:
        """Copies an env's observation out of its row."""
        copies = {key: array[slot].copy() for key, array in self._rows.items()}
        return {**copies, "instruction": instruction}

    def close(self) -> None:
        """Closes the file; may be called twice."""
        self._memory.close()
