"""Episodes that a person scores, blind: two policies in hidden order, one key for each episode."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyvla_gym.data.atomic import save_json, writing
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.evaluation.task_result import TaskResult
from tinyvla_gym.events import Outcome

KEYS = {"s": True, "f": False, "d": None}
"""Success, failure, discard; what is discarded is played again."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One episode to be played.

    Attributes:
        policy: Who plays; the person who scores is not told.
        seed: The episode's.
    """

    policy: str
    seed: int


def blind_order(policies: Sequence[str], seeds: Sequence[int], *, draw: int) -> list[Trial]:
    """Puts trials into an order that tells nobody who plays.

    Every policy plays every seed, one right after the other, so that light and wear are shared;
    who begins is drawn for each seed.

    Args:
        policies: One or more, all different.
        seeds: The episodes.
        draw: Seeds the order.

    Raises:
        ConfigError: If a policy is given twice.
    """
    if len(set(policies)) < len(policies):
        raise ConfigError(f"A policy is given twice: {', '.join(policies)}.")
    rng = np.random.default_rng(draw)
    return [
        Trial(policy=policies[int(place)], seed=seed)
        for seed in seeds
        for place in rng.permutation(len(policies))
    ]


class Scores:
    """A journal of scored trials, one line each, on disk before the next is played."""

    def __init__(self, path: Path, facts: dict[str, Any]) -> None:
        """Opens a journal, or begins one.

        Args:
            path: A file of JSON lines, and one of facts beside it.
            facts: What the scores depend on.

        Raises:
            ConfigError: If the journal there was begun with other facts.
        """
        self._path, beside = path, path.with_suffix(".facts.json")
        wanted = json.loads(json.dumps(facts))
        if not beside.exists():
            save_json(beside, wanted)
        elif json.loads(beside.read_text(encoding="utf-8")) != wanted:
            raise ConfigError(f"{path} was begun with other policies or seeds; name another.")

    def done(self) -> dict[Trial, Outcome]:
        """Trials that were scored, with what the person said; the discarded are not among them."""
        if not self._path.exists():
            return {}
        found = {}
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue  # a line that a power cut left half written: it is scored again
            if row["outcome"] is not None:
                found[Trial(**row["trial"])] = Outcome(**row["outcome"])
        return found

    def note(self, trial: Trial, outcome: Outcome | None) -> None:
        """Keeps a score; None is a discarded episode."""
        row = {"trial": asdict(trial), "outcome": None if outcome is None else asdict(outcome)}
        with writing(self._path), self._path.open("a+b") as file:
            if file.tell() and not _ends_a_line(self._path):
                file.write(b"\n")
            file.write(json.dumps(row).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def score(
    trials: Sequence[Trial],
    play: Callable[[Trial], Outcome],
    ask: Callable[[str], str],
    scores: Scores,
) -> dict[Trial, Outcome]:
    """Plays every trial that has no score, and asks a person about each.

    Args:
        trials: See ``blind_order``.
        play: Plays one episode.
        ask: Shows a question that names no policy; returns a key of ``KEYS``.
        scores: What was scored before, and where new scores go.

    Returns:
        All trials with the person's verdicts.
    """
    done = scores.done()
    for place, trial in enumerate(trials, 1):
        while trial not in done:
            outcome = play(trial)
            verdict = KEYS[_key(ask, f"trial {place} of {len(trials)}")]
            scored = None if verdict is None else judged(outcome, success=verdict)
            scores.note(trial, scored)
            if scored is not None:
                done[trial] = scored
    return {trial: done[trial] for trial in trials}


def judged(outcome: Outcome, *, success: bool) -> Outcome:
    """An outcome with a person's verdict in place of the env's; a success counts at its end."""
    return replace(outcome, success=success, success_step=outcome.steps if success else None)


def scored_task(
    task: str, policy: str, scored: dict[Trial, Outcome], *, horizon: int
) -> TaskResult:
    """Counts one policy's trials, in the schema of every other evaluation."""
    outcomes = [outcome for trial, outcome in scored.items() if trial.policy == policy]
    return TaskResult.from_outcomes(
        task,
        sorted(outcomes, key=lambda one: one.seed),
        horizon=horizon,
        plans_ms=(),
        seconds=0.0,
    )


def _key(ask: Callable[[str], str], which: str) -> str:
    question = f"{which}: s success, f failure, d discard? "
    while (key := ask(question).strip().lower()) not in KEYS:
        pass
    return key


def _ends_a_line(path: Path) -> bool:
    return path.read_bytes().endswith(b"\n")
