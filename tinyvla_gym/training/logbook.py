"""What a run says while it runs: lines of ``log.csv``, TensorBoard's events and progress."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from tinyvla_gym.data.atomic import writing, written_whole
from tinyvla_gym.errors import CheckpointError
from tinyvla_gym.training.config import TrainConfig

LOG, BOARD = "log.csv", "tensorboard"
_REMEDY = "Mend it, or delete it: the run goes on without its old lines."
COLUMNS = ("step", "loss", "learning_rate", "gradient_norm", "samples_per_s", "data_wait_frac")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One line of the log: means since the last line.

    Attributes:
        step: Optimiser steps done.
        steps: Optimiser steps of the run.
        loss: Mean loss.
        learning_rate: Rate of the last step.
        gradient_norm: Mean length of the gradient before clipping.
        samples_per_s: Frames learned from per second.
        data_wait_frac: Share of the time spent on waiting for batches.
        eta_s: Seconds to the end at this pace.
    """

    step: int
    steps: int
    loss: float
    learning_rate: float
    gradient_norm: float
    samples_per_s: float
    data_wait_frac: float
    eta_s: float


class Logbook:
    """Adds up steps into lines of ``log.csv``, TensorBoard and progress."""

    def __init__(
        self, run: Path, step: int, config: TrainConfig, on_progress: Callable[[Progress], None]
    ) -> None:
        self._config = config
        self._on_progress = on_progress
        self._path = run / LOG
        rows = _rows_until(self._path, step)
        with written_whole(self._path) as partial, partial.open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        with writing(run / BOARD):
            self._board = SummaryWriter(str(run / BOARD), purge_step=step)
        self._clear()

    def note(
        self,
        step: int,
        loss: float,
        norm: float,
        rate: float,
        waited_s: float,
        took_s: float,
    ) -> None:
        """Adds one step; every ``log_every`` steps a line is written."""
        self._losses.append(loss)
        self._norms.append(norm)
        self._waited_s += waited_s
        self._took_s += took_s
        if step % self._config.log_every == 0 or step == self._config.steps:
            self._write(step, rate)
            self._clear()

    def close(self) -> None:
        """Flushes TensorBoard's file."""
        with writing(self._path.with_name(BOARD)):
            self._board.close()

    def _clear(self) -> None:
        self._losses: list[float] = []
        self._norms: list[float] = []
        self._waited_s = 0.0
        self._took_s = 0.0

    def _write(self, step: int, rate: float) -> None:
        count = len(self._losses)
        pace_s = self._took_s / count
        line = Progress(
            step=step,
            steps=self._config.steps,
            loss=sum(self._losses) / count,
            learning_rate=rate,
            gradient_norm=sum(self._norms) / count,
            samples_per_s=self._config.batch_size / pace_s,
            data_wait_frac=self._waited_s / self._took_s,
            eta_s=(self._config.steps - step) * pace_s,
        )
        values = [getattr(line, column) for column in COLUMNS]
        with writing(self._path), self._path.open("a", newline="") as file:
            csv.writer(file).writerow(values)
        with writing(self._path.with_name(BOARD)):
            for column, value in zip(COLUMNS[1:], values[1:], strict=True):
                self._board.add_scalar(column, value, step)
        self._on_progress(line)


def last_line(run: Path) -> Progress | None:
    """The last line of a finished run's log; None if there is none.

    Raises:
        CheckpointError: If the log is damaged.
    """
    rows = _rows(run / LOG)
    if not rows:
        return None
    step, *values = rows[-1]
    numbers = dict(zip(COLUMNS[1:], map(float, values), strict=True))
    return Progress(step=int(step), steps=int(step), eta_s=0.0, **numbers)


def _rows_until(path: Path, step: int) -> list[list[str]]:
    """The lines of an interrupted run that are still true."""
    return [row for row in _rows(path) if int(row[0]) <= step]


def _rows(path: Path) -> list[list[str]]:
    """All lines but those that were cut short.

    Raises:
        CheckpointError: If the file cannot be read, or a line in it is none of ours.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise CheckpointError(path, f"{error}. {_REMEDY}") from error
    for number, row in enumerate(lines[1:], 2):
        if len(row) == len(COLUMNS) and not _is_numbers(row):
            raise CheckpointError(path, f"line {number} is garbled: {','.join(row)}. {_REMEDY}")
    return [row for row in lines[1:] if len(row) == len(COLUMNS)]


def _is_numbers(row: list[str]) -> bool:
    try:
        int(row[0])
        list(map(float, row[1:]))
    except ValueError:
        return False
    return True
