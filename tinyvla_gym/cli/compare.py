"""tinyvla-gym compare: two evaluations on equal seeds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from tinyvla_gym.cli.console import console, print_table, write_json
from tinyvla_gym.evaluation.compare import Comparison, compare, pooled
from tinyvla_gym.evaluation.results import Results


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Compare two evaluations on equal seeds: who is better, and how sure is that?"""

    a: Annotated[str, tyro.conf.Positional]
    """The folder of an evaluation, or its results.json; several trainings, joined by commas."""
    b: Annotated[str, tyro.conf.Positional]
    """The other one."""
    json: Path | None = None
    """Also write the comparison to this file."""

    def run(self) -> int:
        """Compares and prints."""
        found = compare(_read(self.a), _read(self.b))
        headings = ("task", "sentence", "A solved", "B solved", "A alone", "B alone", "p")
        print_table(headings, _rows(found), numbers=5)
        for line in found.summary():
            console.print(line, soft_wrap=True)
        facts = {
            "a": self.a,
            "b": self.b,
            "pairs": found.pairs,
            "only_a": found.only_a,
            "only_b": found.only_b,
            "difference": found.difference,
            "interval95": found.interval95,
            "mcnemar_p": found.p,
            "verdict": found.verdict(),
            "departures": found.departures,
        }
        write_json(self.json, facts)
        return 0


def _read(places: str) -> Results:
    return pooled([Results.load(Path(place)) for place in places.split(",")])


def _rows(found: Comparison) -> list[tuple[str, ...]]:
    from tinyvla_gym.evaluation.statistics import mcnemar

    return [
        (
            task,
            found.a.tasks[task].sentence,
            f"{pairs.both + pairs.only_a} of {pairs.episodes}",
            f"{pairs.both + pairs.only_b} of {pairs.episodes}",
            str(pairs.only_a),
            str(pairs.only_b),
            f"{mcnemar(pairs.only_a, pairs.only_b):.2g}",
        )
        for task, pairs in found.tasks.items()
    ]
