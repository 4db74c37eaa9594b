"""A Universal Robots controller on a loopback address, which the unmodified ``ur_rtde`` drives."""

import contextlib
import random
import socket
import struct
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.emulators import rtde
from tinyvla_gym.robots.emulators.loopback import check_loopback
from tinyvla_gym.robots.emulators.ur_machine import SAFETY_WORDS, Faults, UrMachine

DASHBOARD_PORT, RTDE_PORT, SCRIPT_PORTS = 29999, 30004, (30001, 30002, 30003)
_VERSION = (5, 15, 0, 126347)
_CYCLE_S = {"ur5e": 0.002, "ur5": 0.008}


class UrEmulator:
    """One arm's controller: dashboard, RTDE and script ports. Use as a context manager.

    ``machine`` holds the arm; ``faults``, ``drop_sockets`` and the machine's stops make things go
    wrong on purpose.
    """

    def __init__(
        self, address: str, *, joints_rad: NDArray[np.float64], model: str = "ur5e"
    ) -> None:
        """Prepares a controller; nothing listens yet.

        Args:
            address: A loopback address, such as 127.0.0.11; each arm needs its own.
            joints_rad: Where the arm stands, shape (6,).
            model: ``ur5e`` (500 Hz) or ``ur5`` (125 Hz).

        Raises:
            ConfigError: If the address is not a loopback address.
        """
        self.address = check_loopback(address)
        self.machine = UrMachine(model, joints_rad)
        self._major = 5 if model == "ur5e" else 3
        self._cycle_s = _CYCLE_S[model]
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listeners: list[socket.socket] = []
        self._sessions: set[socket.socket] = set()

    @property
    def faults(self) -> Faults:
        """What shall go wrong."""
        return self.machine.faults

    def __enter__(self) -> "UrEmulator":
        handlers: list[tuple[int, Callable[[socket.socket], None]]] = [
            (DASHBOARD_PORT, self._dashboard),
            (RTDE_PORT, self._rtde),
            *((port, self._script) for port in SCRIPT_PORTS),
        ]
        for port, handler in handlers:
            try:
                listener = socket.create_server((self.address, port))
            except OSError:  # somebody else listens there
                self.__exit__()
                raise
            self._listeners.append(listener)
            self._spawn(self._accept, listener, handler)
        self._spawn(self._run)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
        self.drop_sockets()
        for thread in self._threads:
            thread.join(timeout=2.0)

    def drop_sockets(self) -> None:
        """Breaks every open connection; new ones are accepted."""
        for session in list(self._sessions):
            with contextlib.suppress(OSError):
                session.shutdown(socket.SHUT_RDWR)

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _run(self) -> None:
        """Keeps the machine's time equal to the clock's."""
        begun_s, steps = time.monotonic(), 0
        while not self._stopping.wait(self._cycle_s / 2):
            due = int((time.monotonic() - begun_s) / self._cycle_s)
            for _ in range(min(due - steps, 50)):  # after a long pause time is lost, not made up
                self.machine.step(self._cycle_s)
            steps = due

    def _accept(self, listener: socket.socket, handler: Callable[[socket.socket], None]) -> None:
        while not self._stopping.is_set():
            try:
                session, _ = listener.accept()
            except OSError:
                return
            session.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sessions.add(session)
            self._spawn(self._serve, session, handler)

    def _serve(self, session: socket.socket, handler: Callable[[socket.socket], None]) -> None:
        with session, contextlib.suppress(OSError):
            handler(session)
        self._sessions.discard(session)

    def _dashboard(self, session: socket.socket) -> None:
        session.sendall(b"Connected: Universal Robots Dashboard Server\n")
        for line in session.makefile("r", encoding="ascii", errors="replace"):
            session.sendall((self._answer(line.strip()) + "\n").encode())

    def _answer(self, request: str) -> str:
        """One line of the dashboard, worded as clients compare it."""
        machine = self.machine
        stopped = SAFETY_WORDS[machine.safety]
        if request == "unlock protective stop":
            unlocked = machine.unlock_protective_stop()
            return "Protective stop releasing" if unlocked else "Cannot unlock protective stop"
        if request == "stop":
            machine.stop_program()
        answers = {
            "PolyscopeVersion": f"URSoftware {'.'.join(map(str, (self._major, *_VERSION[1:])))}",
            "get serial number": "20230000000",
            "is in remote control": str(self.faults.remote_control).lower(),
            "robotmode": f"Robotmode: {'RUNNING' if machine.powered else 'POWER_OFF'}",
            "safetymode": f"Safetymode: {stopped}",
            "safetystatus": f"Safetystatus: {stopped}",
            "running": f"Program running: {str(machine.program_running).lower()}",
            "programstate": "PLAYING rtde_control" if machine.program_running else "STOPPED none",
            "stop": "Stopped",
            "close safety popup": "closing safety popup",
            "close popup": "closing popup",
            "power on": "Powering on",
            "brake release": "Brake releasing",
            "restart safety": "Restarting safety",
            "play": "Starting program",
            "quit": "Disconnected",
        }
        return answers.get(request, f"could not understand: '{request}'")

    def _script(self, session: socket.socket) -> None:
        """Reads programs; one ends with a line that says ``end`` in its first column."""
        program: list[str] = []
        for line in session.makefile("r", encoding="utf-8", errors="replace"):
            program.append(line)
            if line.rstrip() == "end" and line[0] == "e":
                self.machine.load_script("".join(program))
                program = []

    def _rtde(self, session: socket.socket) -> None:
        """One client: it agrees on recipes, then data flows both ways."""
        client = _RtdeClient(self.machine, self._major)
        buffer = bytearray()
        sender: threading.Event | None = None
        try:
            while chunk := session.recv(65536):
                buffer += chunk
                for kind, payload in rtde.split_packets(buffer):
                    answer = client.handle(kind, payload)
                    if answer is not None:
                        session.sendall(answer)
                    if kind == rtde.START and sender is None:
                        sender = threading.Event()
                        self._spawn(self._stream, session, client, sender)
                    elif kind == rtde.PAUSE and sender is not None:
                        sender.set()
                        sender = None
        finally:
            if sender is not None:
                sender.set()

    def _stream(self, session: socket.socket, client: "_RtdeClient", over: threading.Event) -> None:
        """Sends the output recipe at the agreed rate."""
        period_s = 1.0 / client.output_hz
        due_s = time.monotonic()
        with contextlib.suppress(OSError):
            while not (over.is_set() or self._stopping.is_set()):
                if not self.faults.frozen:
                    session.sendall(client.data())
                late_s = self.faults.delay_s + random.uniform(0.0, self.faults.jitter_s)
                due_s = max(due_s + period_s, time.monotonic())
                over.wait(max(0.0, due_s - time.monotonic()) + late_s)


class _RtdeClient:
    """What one RTDE client has agreed on with the controller."""

    def __init__(self, machine: UrMachine, major: int) -> None:
        self._machine = machine
        self._version = (major, *_VERSION[1:])
        self._outputs = rtde.Recipe(())
        self._inputs: list[rtde.Recipe] = []
        self.output_hz = 500.0 if major > 3 else 125.0

    def handle(self, kind: int, payload: bytes) -> bytes | None:
        """The answer to one packet, or None where there is none."""
        if kind == rtde.DATA:
            self._machine.feed(self._inputs[payload[0] - 1].unpack(payload[1:]))
            return None
        if kind == rtde.CONTROLLER_VERSION:
            return rtde.packet(kind, b"".join(v.to_bytes(4, "big") for v in self._version))
        if kind == rtde.OUTPUTS:
            (asked_hz,) = struct.unpack_from(">d", payload)
            self.output_hz = min(self.output_hz, max(1.0, asked_hz))
            self._outputs, types = self._agree(payload[8:])
            return rtde.packet(kind, b"\x01" + types)
        if kind == rtde.INPUTS:
            recipe, types = self._agree(payload)
            self._inputs.append(recipe)
            return rtde.packet(kind, bytes([len(self._inputs)]) + types)
        if kind in (rtde.REQUEST_VERSION, rtde.START, rtde.PAUSE):
            return rtde.packet(kind, b"\x01")
        return None

    def data(self) -> bytes:
        """The newest outputs as one packet."""
        return rtde.packet(rtde.DATA, b"\x01" + self._outputs.pack(self._machine.reading()))

    def _agree(self, names: bytes) -> tuple[rtde.Recipe, bytes]:
        recipe = rtde.Recipe(names.decode("ascii").rstrip(",").split(","))  # clients end with one
        used = self._machine.faults.registers_in_use
        types = [
            "IN_USE" if name in used else kind
            for name, kind in zip(recipe.names, recipe.types, strict=True)
        ]
        return recipe, ",".join(types).encode("ascii")
