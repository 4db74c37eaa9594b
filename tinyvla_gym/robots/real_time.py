"""The inside of the controller's process: ticks at absolute times, and stops when nobody leads."""

import contextlib
import gc
import os
import signal
import time
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from tinyvla_gym.errors import TinyVLAError
from tinyvla_gym.nameless_memory import NamelessMemory
from tinyvla_gym.robots.drivers.assemble import assemble
from tinyvla_gym.robots.parent import Parent
from tinyvla_gym.robots.rows import answer_row
from tinyvla_gym.robots.servo import Rings, Servo
from tinyvla_gym.robots.spec import RigSpec

_PRIORITY = 20  # of a real-time scheduler, where it may be had
_LEAST_SLEEP_S = 50e-6
_SLOW_S = 0.1  # so long an arm whose leader died is slowed gently; then its own brakes stop it


class Beat:
    """Signs of life in memory that two processes share.

    The env writes; the controller reads. ``running`` says that an episode runs, so that silence
    means something.
    """

    def __init__(self) -> None:
        """Silent, and not running."""
        self._memory = NamelessMemory()
        self._memory.reserve(2 * np.dtype(np.float64).itemsize)
        self._map()

    def beat(self) -> None:
        """The env is alive."""
        self._words[0] = time.monotonic()

    @property
    def heard_s(self) -> float:
        """When it last was [s]."""
        return float(self._words[0])

    @property
    def running(self) -> bool:
        """Whether an episode runs."""
        return bool(self._words[1])

    @running.setter
    def running(self, running: bool) -> None:
        self.beat()
        self._words[1] = running

    def close(self) -> None:
        """Closes the file; the memory lives while something looks at it. May be called twice."""
        self._memory.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"memory": self._memory}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._memory = state["memory"]
        self._map()

    def _map(self) -> None:
        self._words = np.frombuffer(self._memory.map(), np.float64, 2)


class _Orphaned(Exception):
    """The env's process has died."""


def run(pipe: Connection, rig: RigSpec, rings: Rings, beat: Beat, *, live: bool) -> None:
    """Serves one env until it says ``close`` or dies.

    Args:
        pipe: Requests between episodes: ``start``, ``reset`` and ``close``.
        rig: The facts.
        rings: Where ticks, events, faults and answers go, and submissions come from.
        beat: The env's signs of life.
        live: Whether commands reach real arms.
    """
    _prefer_this_process()
    parent = Parent()

    def doze(duration_s: float) -> None:
        if not parent.lives:
            raise _Orphaned
        servo.doze()
        time.sleep(duration_s)

    servo = Servo(rig, assemble(rig, live=live, sleep=doze), rings)
    connected = False
    try:
        while (request := _tick_until_asked(pipe, rig, servo, beat, parent)) != ("close", None):
            verb, recover = request
            if verb == "reset":
                error = _reset(servo, connected=connected, recover=recover, live=live)
                connected = error is None or connected
                pipe.send(answer_row(0, servo.begun_s, error))
            else:
                pipe.send(verb)
        _come_to_rest(rig, servo)
    except (_Orphaned, EOFError, OSError):
        _come_to_rest(rig, servo)
    finally:
        with contextlib.suppress(Exception):  # the connections have to be closed all the same
            servo.stop()
        servo.close()


def _tick_until_asked(
    pipe: Connection, rig: RigSpec, servo: Servo, beat: Beat, parent: Parent
) -> tuple[str, Any]:
    """Ticks at absolute times; a tick that is late by periods is one tick, not several."""
    heard_s = 0.0
    due_s = time.monotonic()
    while not pipe.poll():
        _sleep_until(due_s)
        if not parent.lives:
            raise _Orphaned
        now_s = time.monotonic()
        alive = not beat.running or beat.heard_s != heard_s
        heard_s = beat.heard_s
        servo.tick(now_s, alive=alive, late_s=now_s - due_s)
        missed = max(0, int((time.monotonic() - due_s) / rig.period_s))
        due_s += (1 + missed) * rig.period_s
    return pipe.recv()


def _reset(servo: Servo, *, connected: bool, recover: bool, live: bool) -> TinyVLAError | None:
    try:
        if not connected:
            servo.connect(live=live)
        servo.reset(time.monotonic, recover=recover)
    except TinyVLAError as error:
        return error
    return None


def _come_to_rest(rig: RigSpec, servo: Servo) -> None:
    """Decelerates as the safety filter would, without anybody to lead."""
    due_s = time.monotonic()
    end_s = due_s + _SLOW_S
    servo.hold(due_s)
    while due_s < end_s:
        servo.tick(time.monotonic())
        due_s += rig.period_s
        _sleep_until(due_s)


def _sleep_until(due_s: float) -> None:
    left_s = due_s - time.monotonic()
    if left_s > _LEAST_SLEEP_S:
        time.sleep(left_s)


def _prefer_this_process() -> None:
    """Asks for a real-time scheduler, which not everybody gets, and keeps the collector away.

    Ctrl-C reaches all processes of a terminal; here the env says when to end.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    gc.disable()
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
