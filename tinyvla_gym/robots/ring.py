"""A ring of rows in memory that two processes share: one writes, any number read, nobody waits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.nameless_memory import NamelessMemory

_WORD = 8  # bytes of a counter


class Ring:
    """Rows of one numpy type, the newest over the oldest.

    Every row has a counter that is odd while the row is being written. A reader that finds a
    counter odd, or changed after copying, knows that the row was overwritten and leaves it out.
    It travels to a spawned process as an argument and is the same there.
    """

    def __init__(self, row: np.dtype[Any], rows: int) -> None:
        """Makes room for so many rows."""
        self.row, self.rows = row, rows
        self._memory = NamelessMemory()
        self._memory.reserve(_WORD * (1 + rows) + row.itemsize * rows)
        self._map()

    def write(self, values: NDArray[Any]) -> None:
        """Appends a row; only one process may ever do so. ``values`` has the shape ()."""
        number = int(self._written[0])
        slot = number % self.rows
        self._counters[slot] = 2 * number + 1
        self._rows[slot] = values
        self._counters[slot] = 2 * number + 2
        self._written[0] = number + 1

    @property
    def written(self) -> int:
        """How many rows were ever written."""
        return int(self._written[0])

    def since(self, number: int) -> tuple[NDArray[Any], int]:
        """Copies of the rows from a number on that are still there, shape (n,), and the next one.

        Rows that were overwritten meanwhile are missing; whoever asks for everything compares
        n with the difference of the numbers.
        """
        end = self.written
        found: list[NDArray[Any]] = []
        for wanted in range(max(number, end - self.rows), end):
            slot = wanted % self.rows
            before = int(self._counters[slot])
            copy = self._rows[slot : slot + 1].copy()
            if before == 2 * wanted + 2 == int(self._counters[slot]):
                found.append(copy)
        return (np.concatenate(found) if found else np.empty(0, self.row)), end

    def last(self) -> NDArray[Any] | None:
        """A copy of the newest row, shape (1,); None if there is none yet."""
        while number := self.written:
            rows, _ = self.since(number - 1)
            if len(rows):
                return rows[-1:]
        return None

    def close(self) -> None:
        """Closes the file; the memory lives while something looks at it. May be called twice."""
        self._memory.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"memory": self._memory, "row": self.row, "rows": self.rows}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._memory, self.row, self.rows = state["memory"], state["row"], state["rows"]
        self._map()

    def _map(self) -> None:
        counters = _WORD * (1 + self.rows)
        memory = self._memory.map()
        words = np.frombuffer(memory, np.int64, 1 + self.rows)
        self._written, self._counters = words[:1], words[1:]
        self._rows = np.frombuffer(memory, self.row, self.rows, offset=counters)
