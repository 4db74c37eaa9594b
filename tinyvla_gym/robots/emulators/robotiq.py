"""A Robotiq gripper's URCap server on a loopback address."""

import contextlib
import re
import socketserver
import threading
import time

from tinyvla_gym.robots.emulators.loopback import check_loopback

PORT = 63352
_COUNTS_PER_S = 340.0  # of 255, at full speed
_READABLE = {"ACT", "GTO", "ATR", "FOR", "SPE", "POS", "PRE", "STA", "OBJ", "FLT"}
_OPEN, _CLOSED = 3, 228  # the counts at which real fingers meet their stops


class RobotiqEmulator:
    """Answers ``GET`` and ``SET`` lines as the URCap does. Use as a context manager.

    ``object_at`` is a position [counts] at which something is between the fingers.
    """

    def __init__(self, address: str, *, port: int = PORT) -> None:
        """Prepares a gripper that is not activated.

        Raises:
            ConfigError: If the address is not a loopback address.
        """
        self.address, self.port = check_loopback(address), port
        self.variables = dict.fromkeys(_READABLE, 0)
        self.object_at: int | None = None
        self._place = float(_OPEN)
        self._moved_s = time.monotonic()
        self._lock = threading.Lock()
        self._server: socketserver.ThreadingTCPServer | None = None

    def __enter__(self) -> "RobotiqEmulator":
        gripper = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    for line in self.rfile:
                        self.wfile.write(gripper.answer(line.decode("ascii", "replace")).encode())

        self._server = socketserver.ThreadingTCPServer(
            (self.address, self.port), Session, bind_and_activate=False
        )
        self._server.allow_reuse_address = True
        self._server.daemon_threads = True
        self._server.block_on_close = False
        try:
            self._server.server_bind()
            self._server.server_activate()
        except OSError:  # somebody else listens there
            self._server.server_close()
            raise
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, line: str) -> str:
        """The answer to one line; that to ``SET`` ends without a line break, as the real one."""
        with self._lock:
            self._move()
            words = line.split()
            if len(words) == 2 and words[0] == "GET" and words[1] in _READABLE:
                return f"{words[1]} {self.variables[words[1]]}\n"
            pairs = re.fullmatch(r"SET((?: [A-Z]{3} \d{1,3})+)", line.strip())
            if pairs is None:
                return "?\n"
            self._set(pairs[1].split())
            return "ack"

    def _set(self, words: list[str]) -> None:
        for name, value in zip(words[::2], map(int, words[1::2]), strict=True):
            if name == "POS":
                self.variables["PRE"] = min(value, 255)
            else:
                self.variables[name] = value
        if self.variables["ACT"] == 0:
            self.variables.update(STA=0, GTO=0)
        else:
            self.variables["STA"] = 3

    def _move(self) -> None:
        """Moves the fingers on since the last question."""
        now_s = time.monotonic()
        most = _COUNTS_PER_S * (now_s - self._moved_s) * max(self.variables["SPE"], 1) / 255
        self._moved_s = now_s
        if self.variables["STA"] != 3 or not self.variables["GTO"]:
            return
        wanted = min(max(self.variables["PRE"], _OPEN), _CLOSED)
        before, step = self._place, max(-most, min(most, wanted - self._place))
        self._place += step
        touched = self.object_at is not None and before <= self.object_at < self._place
        if touched and self.object_at is not None:
            self._place = float(self.object_at)
        held = self.object_at is not None and self._place == self.object_at and wanted > self._place
        arrived = abs(self._place - wanted) < 0.5
        self.variables["OBJ"] = 2 if held else 3 if arrived else 0
        self.variables["POS"] = round(self._place)
