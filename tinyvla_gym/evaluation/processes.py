"""Jobs in worker processes: progress comes back, and one that dies is an error, never a hang."""

import multiprocessing as mp
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol, TypeVar

from tinyvla_gym.errors import TinyVLAError
from tinyvla_gym.events import Outcome

R = TypeVar("R")


class Job(Protocol):
    """What a worker is given; it must survive pickling."""

    @property
    def task(self) -> str:
        """How messages call it."""
        ...


def play_in_processes(
    jobs: Sequence[Job],
    play: Callable[[Any, Callable[[str, Outcome], None]], R],
    workers: int,
    on_episode: Callable[[str, Outcome], None],
) -> list[R]:
    """Plays every job in one of several fresh processes, each with one torch thread.

    Args:
        jobs: What to play.
        play: Takes a job and a listener; a module's own function, so that it can be sent.
        workers: Processes.
        on_episode: Told, in this process, of every episode as it ends.

    Returns:
        One result per job, in order.

    Raises:
        TinyVLAError: If a worker fails or dies; the others are stopped.
    """
    queue = iter(range(len(jobs)))
    crew = [_Worker(play) for _ in range(min(workers, len(jobs)))]
    results: dict[int, R] = {}
    try:
        busy = {worker.pipe: (worker, worker.begin(jobs, queue)) for worker in crew}
        while len(results) < len(jobs):
            for pipe in wait(list(busy)):
                worker, index = busy[pipe]  # pyright: ignore[reportArgumentType]
                kind, content = worker.hear()
                if kind == "episode":
                    on_episode(jobs[index].task, content)
                elif kind == "result":
                    results[index] = content
                    busy[worker.pipe] = worker, worker.begin(jobs, queue)
                    if busy[worker.pipe][1] < 0:
                        del busy[worker.pipe]
                else:
                    raise TinyVLAError(f"{jobs[index].task}: {content}")
    finally:
        for worker in crew:
            worker.process.terminate()
            worker.process.join()
    return [results[index] for index in range(len(jobs))]


class _Worker:
    """The parent's end of one process."""

    def __init__(self, play: Callable[..., Any]) -> None:
        context = mp.get_context("spawn")  # a fork would inherit OpenGL's and torch's threads
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(play, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def begin(self, jobs: Sequence[Job], queue: Any) -> int:
        """Sends the next job and returns its place; -1 if there is none left."""
        index = next(queue, -1)
        if index >= 0:
            with suppress(ConnectionError):  # it died; ``hear`` will say so
                self.pipe.send(jobs[index])
        return index

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


def _work(play: Callable[..., Any], pipe: Connection) -> None:
    """A worker process: jobs until the parent is gone, reported episode by episode."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    with suppress(EOFError, ConnectionError):
        while True:
            job = pipe.recv()
            try:
                result = play(job, lambda _, outcome: pipe.send(("episode", outcome)))
                pipe.send(("result", result))
            except Exception as error:  # told to the parent, who raises it
                known = isinstance(error, TinyVLAError)
                told = str(error) if known else f"{type(error).__name__}: {error}"
                pipe.send(("failed", told))
