"""A rig whose controller runs in a process of its own, at its own rate, whatever the env does."""

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np

from tinyvla_gym.robots.body import Due
from tinyvla_gym.robots.faults import (
    ControlLostFault,
    EnvFaultedError,
    OperatorRequired,
    RigFault,
)
from tinyvla_gym.robots.real_time import Beat, run
from tinyvla_gym.robots.recovery import RecoveryBudget
from tinyvla_gym.robots.rows import read_error, read_states
from tinyvla_gym.robots.servo import Rings
from tinyvla_gym.robots.spec import RigSpec
from tinyvla_gym.robots.state import Condition

_ANSWER_S = 1.0  # a controller that has not taken actions by then does not tick
_START_S = 60.0  # a new interpreter on a busy machine
_RESET_S = 180.0  # connecting, recovering and two ways home
_FIRST_S = 10.0  # a controller that has not ticked twice by then never will
_POLL_S = 0.0005
_SLICE_S = 0.05  # between two looks at whether the controller still lives


class ProcessBody:
    """The env's end of a controller's process. See ``Body``.

    What the arms do arrives in shared memory; actions leave the same way. Only what happens
    between episodes goes through a pipe. If the env's process dies, the controller's process
    notices in its next tick and stops the arms; if the controller's dies, the arms' own watchdogs
    stop them.
    """

    def __init__(
        self, rig: RigSpec, *, live: bool, target: Callable[..., None] | None = None
    ) -> None:
        """Prepares; the process begins with the first ``reset``.

        Args:
            rig: The facts.
            live: Whether commands reach real arms, or simulated shadows of them.
            target: What the process does; ``real_time.run`` when None.
        """
        self._rig, self._live, self._target = rig, live, target or run
        self._renew()
        self._budget = RecoveryBudget()
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._fault: RigFault | None = None
        self._number = 0
        self.begun_s = 0.0  # when the controller last began to stand still

    def now(self) -> float:
        """See ``Body``; ``time.monotonic``, which all processes of a machine share."""
        return time.monotonic()

    @property
    def process_id(self) -> int | None:
        """The controller's process; None while there is none."""
        return self._process.pid if self._process else None

    def reset(self, *, recover: bool) -> None:
        """See ``Body``. A controller that died is started anew if ``recover`` is wanted.

        So is one that lost its connection to an arm: the vendors' libraries try to connect again
        in threads of their own, and may crash at that.
        """
        if self._process is None or (recover and self._is_useless()):
            self._start_anew()
        self._resets += 1
        answer = self._ask("reset", recover, _RESET_S)
        self.begun_s = float(answer["time_s"])
        if error := read_error(answer):
            raise EnvFaultedError(self._fault) if self._fault and not recover else error
        self._fault = None
        self._wait_for_ticks()
        self._beat.running = True

    def submit(self, due: Due) -> None:
        """See ``Body``; waits for the answer, which the controller's next tick gives."""
        if fault := self.fault():
            raise EnvFaultedError(fault)
        self._number += 1
        row = np.zeros((), self._rings.submissions.row)
        row["number"], row["count"] = self._number, len(due)
        for index, (due_s, action) in enumerate(due):
            row["due_s"][index], row["actions"][index] = due_s, action
        self._beat.beat()
        self._rings.submissions.write(row)
        deadline_s = self.now() + _ANSWER_S
        while (answer := self._rings.answers.last()) is None or (
            int(answer["number"][0]) != self._number
        ):
            if self.now() > deadline_s or self.fault():
                self._lose("its controller does not answer.")
                assert self._fault is not None
                raise EnvFaultedError(self._fault)
            time.sleep(_POLL_S)
        if error := read_error(answer[0]):
            if isinstance(error, EnvFaultedError):
                fault = self.fault()
                raise EnvFaultedError(fault) if fault else error
            raise error

    def wait_until(self, time_s: float) -> None:
        """See ``Body``."""
        self._beat.beat()
        while (left_s := time_s - self.now()) > 0:
            time.sleep(min(left_s, _SLICE_S))
            if self.fault():
                return

    def fault(self) -> RigFault | None:
        """See ``Body``; also when the controller's process has died."""
        if self._fault is None:
            row = self._rings.faults.last()
            if row is not None and row["number"][0] == self._resets:
                error = read_error(row[0])
                self._fault = error if isinstance(error, RigFault) else None
            elif self._process is not None and not self._process.is_alive():
                self._lose("its controller's process ended.")
        return self._fault

    def park(self) -> None:
        """See ``Body``."""
        self._beat.running = False

    def close(self) -> None:
        """See ``Body``."""
        if self._pipe is not None and self._process is not None:
            try:
                self._pipe.send(("close", None))
                self._process.join(timeout=10.0)
            except OSError:
                pass  # it is dead already
            self._process.kill()
            self._process.join()
            self._pipe.close()
        self._process = self._pipe = None

    def _wait_for_ticks(self) -> None:
        """The first commands to an arm take their time: its watchdog is set, its program woken."""
        before, deadline_s = self.ticks.written, self.now() + _FIRST_S
        while self.ticks.written < before + 2 and not self.fault():
            if self.now() > deadline_s:
                raise ControlLostFault("", "its controller does not tick.")
            time.sleep(_POLL_S)

    def _is_useless(self) -> bool:
        assert self._process is not None
        row = self._rings.ticks.last()
        told = [] if row is None else [state.condition for state in read_states(row[0])]
        return Condition.CONTROL_LOST in told or not self._process.is_alive()

    def _start_anew(self) -> None:
        if self._process is not None and not self._budget.spend(self.now()):
            raise OperatorRequired("", "its controller was started anew twice within a minute.")
        self.close()
        self._renew()
        self._start()

    def _renew(self) -> None:
        self._rings, self._beat, self._resets = Rings(self._rig), Beat(), 0
        self.ticks, self.events = self._rings.ticks, self._rings.events

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=self._target,
            args=(theirs, self._rig, self._rings, self._beat),
            kwargs={"live": self._live},
            name=f"controller of {self._rig.name}",
            daemon=True,
        )
        self._process.start()
        for mine in (theirs, self._rings, self._beat):
            mine.close()  # the memory stays
        self._ask("start", None, _START_S)

    def _ask(self, verb: str, argument: object, timeout_s: float) -> Any:
        assert self._pipe is not None
        try:
            self._pipe.send((verb, argument))
            if not self._pipe.poll(timeout_s):
                raise ControlLostFault("", f"its controller has not answered for {timeout_s:g} s.")
            return self._pipe.recv()
        except (OSError, EOFError) as error:
            raise ControlLostFault("", "its controller's process ended.") from error

    def _lose(self, problem: str) -> None:
        if self._fault is None:
            self._fault = ControlLostFault("", problem)
