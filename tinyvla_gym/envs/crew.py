"""The worker processes of a vector env, seen from the parent: asked, heard and ended."""

import atexit
import multiprocessing as mp
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from gymnasium.vector.utils import CloudpickleWrapper

from tinyvla_gym.envs.shared import SharedObservations
from tinyvla_gym.envs.vector import MakeEnv
from tinyvla_gym.envs.worker import Facts, Failure, Request, work
from tinyvla_gym.errors import WorkerDiedError, WorkersStoppedError, WorkerTimeoutError

START_S = 300.0
"""How long the workers may take to import the simulator and make their envs."""

_GOODBYE_S = 5.0
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LP_NUM_THREADS")


class Crew:
    """Processes that hold the envs of a vector, several each.

    Whatever goes wrong with one of them, or in the parent while it waits, ends them all.
    """

    def __init__(
        self,
        make_env: MakeEnv,
        num_envs: int,
        workers: int,
        *,
        timeout_s: float,
        resets_at_end: bool,
    ) -> None:
        """Starts the workers and waits until their envs are made.

        Args:
            make_env: Makes one env; called in the workers, N times in all.
            num_envs: How many, N.
            workers: Processes.
            timeout_s: How long a worker may take for an answer [s].
            resets_at_end: Whether an episode's end is followed by a reset at once.

        Raises:
            WorkerDiedError: If one dies, or ``WorkerTimeoutError`` if one does not answer; and
                whatever ``make_env`` raises.
        """
        self.memory = SharedObservations()
        self._end: str | None = None  # why there are no workers any more
        self._workers: list[_Worker] = []
        atexit.register(self.kill)  # before multiprocessing waits for a worker that is stopped
        with self._all_or_none(), _one_thread_each():
            for index in range(workers):
                slots = range(index * num_envs // workers, (index + 1) * num_envs // workers)
                task = (CloudpickleWrapper(make_env), self.memory, slots, num_envs, resets_at_end)
                self._workers.append(_Worker(index, slots, task))
        with self._all_or_none():
            told = [worker.hear() for worker in self._workers]
            for worker, facts in zip(self._workers, told, strict=True):
                if isinstance(facts, Failure):
                    raise facts.rebuilt(worker.name)
                worker.be_patient(timeout_s)
            self.facts: Facts = told[0]
            self.memory.lay_out(self.facts.observation_space, num_envs)

    def ask(self, requests: Sequence[Request]) -> list[Any]:
        """Has the workers do something, all at the same time.

        Args:
            requests: At most one per env.

        Returns:
            One answer per request, in order.

        Raises:
            Exception: What an env raised, the first one's if there are several.
            WorkerDiedError: If a worker dies.
            WorkerTimeoutError: If a worker does not answer in time.
            WorkersStoppedError: If they have been stopped before.
        """
        if self._end is not None:
            raise WorkersStoppedError(self._end)
        with self._all_or_none():
            busy = [worker for worker in self._workers if worker.ask(requests)]
            answers = {
                slot: answer
                for worker in busy
                for slot, answer in zip(worker.asked, worker.hear(), strict=True)
            }
        for slot, answer in sorted(answers.items()):
            if isinstance(answer, Failure):
                worker = next(worker for worker in busy if slot in worker.slots)
                worker.last_error = answer.trace.strip().splitlines()[-1]
                raise answer.rebuilt(f"In env {slot}, in {worker.name}:")
        return [answers[request.slot] for request in requests]

    def close(self) -> None:
        """Lets the workers close their envs and end; kills who takes longer than 5 s."""
        if self._end is None:
            for worker in self._workers:
                worker.say_goodbye()
            for worker in self._workers:
                worker.process.join(_GOODBYE_S)
        self.kill("it was closed")

    def kill(self, why: str = "the program is ending") -> None:
        """Ends the workers at once; does nothing if they have ended."""
        self._end = self._end or why
        atexit.unregister(self.kill)
        self.memory.close()
        for worker in self._workers:
            worker.process.kill()  # not terminate: a stopped process would never notice
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()

    @contextmanager
    def _all_or_none(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:  # also KeyboardInterrupt: an answer may be half read
            told = str(error).partition("\n")[0]
            self.kill(f"of this: {type(error).__name__}: {told}".rstrip(": "))
            raise


class _Worker:
    """The parent's end of one process."""

    def __init__(self, index: int, slots: range, task: tuple[Any, ...]) -> None:
        context = mp.get_context("spawn")  # a fork would inherit OpenGL's and torch's threads
        self.slots = slots
        self.asked: list[int] = []
        self.last_error = ""
        self.pipe, theirs = context.Pipe()
        self.be_patient(START_S)
        self.process = context.Process(
            target=work, args=(theirs, *task), name=f"envs-{index}", daemon=True
        )
        self.process.start()
        theirs.close()
        self.name = f"worker {index} (process {self.process.pid})"

    def be_patient(self, timeout_s: float) -> None:
        """Sets how long the pipe waits before it gives up, also in the midst of a message."""
        self._timeout_s = timeout_s
        limit = struct.pack("@ll", int(timeout_s), int(timeout_s % 1 * 1e6))
        with socket.socket(fileno=os.dup(self.pipe.fileno())) as end:  # it shares the settings
            for what in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                end.setsockopt(socket.SOL_SOCKET, what, limit)

    def ask(self, requests: Sequence[Request]) -> bool:
        """Sends those requests that concern this worker; returns whether there are any."""
        own = [request for request in requests if request.slot in self.slots]
        self.asked = [request.slot for request in own]
        if own:
            with suppress(ConnectionError):  # it died; ``hear`` will say so
                self._send(own)
        return bool(own)

    def hear(self) -> Any:
        """The worker's next message.

        Raises:
            WorkerDiedError: If it died.
            WorkerTimeoutError: If it does not answer.
        """
        try:
            return self.pipe.recv()
        except BlockingIOError:
            raise self._silence() from None
        except (EOFError, OSError):  # the latter in the middle of a message
            self.process.join()
            code = self.process.exitcode or 0
            raise WorkerDiedError(self.name, self.slots, code, self.last_error) from None

    def say_goodbye(self) -> None:
        """Asks it to end."""
        with suppress(OSError):
            self.pipe.send(None)

    def _send(self, requests: list[Request]) -> None:
        try:
            self.pipe.send(requests)
        except BlockingIOError:
            raise self._silence() from None

    def _silence(self) -> WorkerTimeoutError:
        return WorkerTimeoutError(self.name, self.slots, self._timeout_s, self.last_error)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started inside have one thread for numbers and one for pictures.

    They read this when numpy, torch and Mesa are imported, which a script's own imports may do
    before any code of ours runs in them: hence their environment.
    """
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
