"""Workers on a Ray cluster: the same jobs, players and results as in processes here."""

import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from tinyvla_gym.errors import ConfigError, MissingExtraError, TinyVLAError
from tinyvla_gym.evaluation.processes import EpisodeHeard, Job, Player, told
from tinyvla_gym.events import Outcome

_KNOCK_S = 10.0


class RayCrew:
    """Workers that Ray places wherever a core is free. A context manager.

    The package must be installed on every machine of the cluster, in the driver's version. A
    checkpoint that is a path must be there too; a bundled name or a hub id always is.
    """

    def __init__(
        self, make_player: Callable[[], Player], workers: int, *, address: str | None = None
    ) -> None:
        """Joins a cluster, or starts one on this machine.

        Args:
            make_player: Called once in each worker.
            workers: How many, one core each.
            address: Of an existing cluster, ``auto`` or ``host:port``; None starts one here.

        Raises:
            MissingExtraError: If Ray is not installed.
            ConfigError: If there are no workers, or nobody answers at the address.
        """
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError("Playing on a cluster", "ray") from error
        if workers < 1:
            raise ConfigError(f"workers must be at least 1, got {workers}.")
        if address is not None:
            _knock(address)
        here = {"num_cpus": workers, "include_dashboard": False} if address is None else {}
        try:
            ray.init(address=address or "local", logging_level=logging.ERROR, **here)
        except (ConnectionError, RuntimeError, ValueError) as problem:
            raise _no_cluster(address, problem) from problem
        self.workers = workers
        self._ray = ray
        self._make_player = make_player
        self._crew: list[Any] = []

    def __enter__(self) -> "RayCrew":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._crew:
            with suppress(Exception):  # it may be gone already
                self._ray.kill(worker)
        self._ray.shutdown()

    def play(self, jobs: Sequence[Job], on_episode: EpisodeHeard) -> Iterator[tuple[int, Any]]:
        """Plays every job; see ``Crew``. Episodes are told when their shard has come back."""
        remote = self._ray.remote(num_cpus=1, max_restarts=0)(_RayWorker)
        while len(self._crew) < min(self.workers, len(jobs)):
            self._crew.append(remote.remote(self._make_player))
        queue = iter(range(len(jobs)))
        busy: dict[Any, tuple[Any, int]] = {}

        def begin(worker: Any) -> None:
            index = next(queue, None)
            if index is not None:
                busy[worker.play.remote(jobs[index])] = worker, index

        for worker in self._crew:
            begin(worker)
        while busy:
            [ready], _ = self._ray.wait(list(busy))
            worker, index = busy.pop(ready)
            episodes, result, failure = self._get(ready)
            if failure:
                raise TinyVLAError(f"{jobs[index].task}: {failure}")
            for task, outcome in episodes:
                on_episode(task, outcome)
            begin(worker)
            yield index, result

    def _get(self, ready: Any) -> tuple[list[tuple[str, Outcome]], Any, str]:
        from ray.exceptions import RayError

        try:
            return self._ray.get(ready)
        except RayError as problem:
            return [], None, f"the worker died: {str(problem).splitlines()[0]}"


def _knock(address: str) -> None:
    """Makes sure that somebody listens; Ray would go on trying for a quarter of an hour."""
    host, _, port = address.removeprefix("ray://").partition(":")
    if not port:
        return  # "auto": Ray knows where it is
    try:
        socket.create_connection((host, int(port)), timeout=_KNOCK_S).close()
    except (OSError, ValueError) as problem:
        raise _no_cluster(address, problem) from problem


def _no_cluster(address: str | None, problem: Exception) -> ConfigError:
    return ConfigError(f"There is no Ray cluster at {address or 'this machine'}: {problem}")


class _RayWorker:
    """One player in a process of Ray's."""

    def __init__(self, make_player: Callable[[], Player]) -> None:
        self._play = make_player()

    def play(self, job: Job) -> tuple[list[tuple[str, Outcome]], Any, str]:
        """Plays; returns the episodes, the result, and what went wrong, if anything did."""
        episodes: list[tuple[str, Outcome]] = []
        try:
            result = self._play(job, lambda task, outcome: episodes.append((task, outcome)))
        except Exception as error:  # the driver raises it
            return [], None, told(error)
        return episodes, result, ""
