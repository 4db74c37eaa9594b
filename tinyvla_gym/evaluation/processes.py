"""Jobs in worker processes: progress comes back, and one that dies is an error, never a hang."""

import multiprocessing as mp
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from tinyvla_gym.errors import ConfigError, TinyVLAError
from tinyvla_gym.events import Outcome

EpisodeHeard = Callable[[str, Outcome], None]
"""Told a task and an outcome, as every episode ends, in any order."""


class Job(Protocol):
    """What a worker is given; it must survive pickling."""

    @property
    def task(self) -> str:
        """How messages call it."""
        ...


class Player(Protocol):
    """Plays jobs; each worker has its own, and it may keep what the next job needs."""

    def __call__(self, job: Any, on_episode: EpisodeHeard) -> Any:
        """Plays a job and returns its result, which must survive pickling."""
        ...


class Crew(Protocol):
    """Workers, wherever they are."""

    workers: int
    """How many jobs they play at a time."""

    def play(self, jobs: Sequence[Job], on_episode: EpisodeHeard) -> Iterator[tuple[int, Any]]:
        """Plays every job; yields its place and its result as soon as there is one.

        Raises:
            TinyVLAError: If a job fails or a worker dies.
        """
        ...


class ProcessCrew:
    """Workers on this machine: fresh processes, each with one torch thread.

    A context manager; at its end every process is stopped.
    """

    def __init__(self, make_player: Callable[[], Player], workers: int) -> None:
        """Starts nothing yet.

        Args:
            make_player: Called once in each worker; a module's own function or class.
            workers: Processes.

        Raises:
            ConfigError: If there are none.
        """
        if workers < 1:
            raise ConfigError(f"workers must be at least 1, got {workers}.")
        self.workers = workers
        self._make_player = make_player
        self._crew: list[_Worker] = []

    def __enter__(self) -> "ProcessCrew":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._crew:
            worker.process.terminate()
            worker.process.join()
        self._crew = []

    def play(self, jobs: Sequence[Job], on_episode: EpisodeHeard) -> Iterator[tuple[int, Any]]:
        """Plays every job; see ``Crew``."""
        while len(self._crew) < min(self.workers, len(jobs)):
            self._crew.append(_Worker(self._make_player))
        queue = iter(range(len(jobs)))
        busy: dict[Any, tuple[_Worker, int]] = {}
        for worker in self._crew:
            worker.begin(jobs, queue, busy)
        while busy:
            for pipe in wait(list(busy)):
                worker, index = busy[pipe]
                kind, content = worker.hear()
                if kind == "episode":
                    on_episode(jobs[index].task, content)
                elif kind == "result":
                    worker.begin(jobs, queue, busy)
                    yield index, content
                else:
                    raise TinyVLAError(f"{jobs[index].task}: {content}")


class _Worker:
    """The parent's end of one process."""

    def __init__(self, make_player: Callable[[], Player]) -> None:
        context = mp.get_context("spawn")  # a fork would inherit OpenGL's and torch's threads
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(make_player, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def begin(self, jobs: Sequence[Job], queue: Iterator[int], busy: dict[Any, Any]) -> None:
        """Sends the next job and notes its place, or notes that there is none left."""
        busy.pop(self.pipe, None)
        index = next(queue, None)
        if index is not None:
            busy[self.pipe] = self, index
            with suppress(ConnectionError):  # it died; ``hear`` will say so
                self.pipe.send(jobs[index])

    def hear(self) -> tuple[str, Any]:
        """The worker's next message, or its death."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):  # the latter in the middle of a message
            self.process.join()
            code = self.process.exitcode or 0
            if code < 0:
                return "died", f"the worker was killed by signal {-code}; was memory short?"
            remedy = "a script must start work below `if __name__ == '__main__':`."
            return "died", f"the worker ended with exit code {code}; {remedy}"


def _work(make_player: Callable[[], Player], pipe: Connection) -> None:
    """A worker process: jobs until the parent is gone, reported episode by episode."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    play = make_player()
    with suppress(EOFError, ConnectionError):
        while True:
            job = pipe.recv()
            try:
                result = play(job, lambda _, outcome: pipe.send(("episode", outcome)))
                pipe.send(("result", result))
            except Exception as error:  # told to the parent, who raises it
                pipe.send(("failed", told(error)))


def told(error: Exception) -> str:
    """What a worker's failure says to people: our own sentences, or kind and text."""
    return str(error) if isinstance(error, TinyVLAError) else f"{type(error).__name__}: {error}"
