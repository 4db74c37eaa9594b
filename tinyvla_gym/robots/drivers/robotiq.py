"""A Robotiq gripper through the text socket of its URCap, on the robot's own address."""

import socket

from tinyvla_gym.robots.robot import ConnectError
from tinyvla_gym.robots.spec import GripperSpec

_ACTIVE = 3
_TRIES = 200  # questions until an activation must be over
_LEAST_COUNTS = 2  # smaller changes are not sent


class RobotiqGripper:
    """One gripper. Ask it at about 30 Hz, from a thread of its own."""

    def __init__(self, arm: str, host: str, spec: GripperSpec, *, timeout_s: float = 2.0) -> None:
        """Prepares; nothing is opened before ``connect``."""
        self._arm, self._host, self._spec, self._timeout_s = arm, host, spec, timeout_s
        self._socket: socket.socket | None = None
        self._asked_counts: int | None = None

    def connect(self) -> None:
        """Opens the connection and activates the gripper, which moves its fingers.

        Raises:
            ConnectError: If it does not answer, or does not become active.
        """
        try:
            self._socket = socket.create_connection((self._host, self._spec.port), self._timeout_s)
            self._set(ACT=1)
            for _ in range(_TRIES):
                if self._get("STA") == _ACTIVE:
                    break
            else:
                raise ConnectError(self._arm, self._host, "its gripper does not become active.")
            self._set(GTO=1, SPE=255, FOR=100)
        except OSError as error:
            self.close()
            raise ConnectError(self._arm, self._host, f"its gripper: {error}.") from error

    def read(self) -> float:
        """The opening, 0 closed to 1 open."""
        spec = self._spec
        counts = self._get("POS")
        closed = (counts - spec.counts_open) / (spec.counts_closed - spec.counts_open)
        return min(1.0, max(0.0, 1.0 - closed))

    @property
    def holds(self) -> bool:
        """Whether something between the fingers stopped them."""
        return self._get("OBJ") in (1, 2)

    def move(self, open_frac: float) -> None:
        """Sets out for an opening, 0 closed to 1 open; a change of 2 counts or less is not sent."""
        spec = self._spec
        span = spec.counts_closed - spec.counts_open
        counts = round(spec.counts_closed - min(1.0, max(0.0, open_frac)) * span)
        if self._asked_counts is None or abs(counts - self._asked_counts) > _LEAST_COUNTS:
            self._set(POS=counts, GTO=1)
            self._asked_counts = counts

    def close(self) -> None:
        """Closes the connection. Safe any number of times."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _get(self, name: str) -> int:
        answer = self._ask(f"GET {name}\n")
        words = answer.split()
        if len(words) != 2 or words[0] != name:
            raise ConnectionError(f"asked for {name}, it answered {answer!r}")
        return int(words[1])

    def _set(self, **values: int) -> None:
        pairs = " ".join(f"{name} {value}" for name, value in values.items())
        answer = self._ask(f"SET {pairs}\n")
        if answer.strip() != "ack":
            raise ConnectionError(f"told to set {pairs}, it answered {answer!r}")

    def _ask(self, line: str) -> str:
        if self._socket is None:
            raise ConnectionError("it is not connected")
        self._socket.sendall(line.encode("ascii"))
        answer = self._socket.recv(1024)
        if not answer:
            raise ConnectionError("it closed the connection")
        return answer.decode("ascii", "replace")
