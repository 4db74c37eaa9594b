"""Who plays for a verb: processes on this machine, or workers on a Ray cluster."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from tinyvla_gym.cli.console import note
from tinyvla_gym.cores import crowding
from tinyvla_gym.evaluation.processes import Crew, Player, ProcessCrew

Engine = Literal["local", "ray"]


@contextmanager
def hired(
    make_player: Callable[[], Player], workers: int, engine: Engine, address: str | None
) -> Iterator[Crew]:
    """Yields a crew, and sends it home afterwards.

    Args:
        make_player: Called once in each worker; a module's own function or class.
        workers: How many, one core each.
        engine: ``local`` or ``ray``.
        address: Of an existing Ray cluster; one is started on this machine when None.
    """
    if engine == "local":
        if (crowded := crowding(workers)) is not None:
            note(crowded)
        with ProcessCrew(make_player, workers) as crew:
            yield crew
    else:
        from tinyvla_gym.evaluation.cluster import RayCrew

        with RayCrew(make_player, workers, address=address) as crew:
            yield crew
