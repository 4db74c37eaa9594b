"""Two evaluations on equal seeds: who is better, how sure is that, and what would settle it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.evaluation.protocols import Protocol
from tinyvla_gym.evaluation.results import Results
from tinyvla_gym.evaluation.statistics import (
    Interval,
    Pairs,
    difference_interval,
    mcnemar,
    pairs_to_settle,
)
from tinyvla_gym.evaluation.task_result import TaskResult

_SURE = 0.05


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """B against A, on the tasks and seeds that both have played.

    Attributes:
        a: The first evaluation.
        b: The second.
        tasks: Counted pairs by task.
    """

    a: Results
    b: Results
    tasks: dict[str, Pairs]

    @property
    def only_a(self) -> int:
        """Episodes that A alone solved."""
        return sum(pairs.only_a for pairs in self.tasks.values())

    @property
    def only_b(self) -> int:
        """Episodes that B alone solved."""
        return sum(pairs.only_b for pairs in self.tasks.values())

    @property
    def pairs(self) -> int:
        """Pairs of all tasks."""
        return sum(pairs.episodes for pairs in self.tasks.values())

    @property
    def difference(self) -> float:
        """B's task average minus A's, on the common episodes."""
        gaps = [(one.only_b - one.only_a) / one.episodes for one in self.tasks.values()]
        return sum(gaps) / len(gaps)

    @property
    def interval95(self) -> Interval:
        """Of the difference; see ``difference_interval``."""
        return difference_interval(list(self.tasks.values()))

    @property
    def p(self) -> float:
        """Of McNemar's exact test over all pairs."""
        return mcnemar(self.only_a, self.only_b)

    @property
    def departures(self) -> list[str]:
        """Where the conditions of the two differ."""
        a, b = self.a.conditions, self.b.conditions
        unlike = [
            f"{entry.name}: {getattr(a, entry.name)} against {getattr(b, entry.name)}"
            for entry in fields(Protocol)
            if entry.name not in ("suite", "parallel")
            and getattr(a, entry.name) != getattr(b, entry.name)
        ]
        versions = [
            f"{name}: {self.a.versions.get(name)} against {self.b.versions.get(name)}"
            for name in sorted(self.a.versions.keys() | self.b.versions.keys())
            if self.a.versions.get(name) != self.b.versions.get(name)
        ]
        return unlike + versions

    def summary(self) -> list[str]:
        """Says in a few lines what came out, and what it depends on."""
        low, high = (100 * bound for bound in self.interval95)
        lines = [
            f"A is {self.a.policy} ({self.a.trained}), B is {self.b.policy} ({self.b.trained}); "
            f"{self.pairs} pairs of episodes with equal seeds",
            f"B - A: {100 * self.difference:+.1f} points of task average "
            f"({low:+.1f} to {high:+.1f}); A alone solved {self.only_a}, B alone {self.only_b}; "
            f"McNemar p = {self.p:.2g}",
            self.verdict(),
        ]
        if self.departures:
            lines.append(f"their conditions differ in {'; '.join(self.departures)}")
        return lines

    def verdict(self) -> str:
        """Whether the difference is settled, and how many more episodes would settle it."""
        if self.p < _SURE:
            better = "B" if self.only_b > self.only_a else "A"
            return f"settled at 95 %: {better} is better on these tasks"
        wanted = pairs_to_settle(self.only_a, self.only_b, self.pairs)
        if wanted is None:
            return "not settled, and no difference was seen that more episodes could settle"
        per_task = max(1, -(-(wanted - self.pairs) // len(self.tasks)))
        return (
            f"not settled: if the difference is what it looks like, about {per_task} more "
            f"episodes per task would settle it (80 % power)"
        )


def compare(a: Results, b: Results) -> Comparison:
    """Pairs two evaluations.

    Raises:
        ConfigError: If they have no task and seed in common.
    """
    tasks = {
        task: Pairs.of(_solved(result), _solved(b.tasks[task]))
        for task, result in a.tasks.items()
        if task in b.tasks
    }
    tasks = {task: pairs for task, pairs in tasks.items() if pairs.episodes}
    if not tasks:
        raise ConfigError(
            f"{a.policy} and {b.policy} have no task and seed in common, so nothing is paired: "
            "play both on the same suite with the same --seed."
        )
    return Comparison(a=a, b=b, tasks=tasks)


def pooled(trainings: Sequence[Results]) -> Results:
    """Joins evaluations of one method that was trained several times, with different seeds.

    Args:
        trainings: At least one; equal in protocol, suite and seeds.

    Raises:
        ConfigError: If they were not played under equal conditions, or are one and the same.
    """
    first, *others = trainings
    for other in others:
        if other.conditions != first.conditions or other.tasks.keys() != first.tasks.keys():
            raise ConfigError("Only evaluations under equal conditions can be pooled.")
    if len({one.fingerprint for one in trainings}) < len(trainings):
        raise ConfigError("One training was given twice; that is no second training seed.")
    tasks = {
        task: TaskResult.from_outcomes(
            task,
            [outcome for one in trainings for outcome in one.tasks[task].outcomes],
            horizon=result.horizon,
            plans_ms=[ms for one in trainings if (ms := one.tasks[task].plan_ms) is not None],
            seconds=sum(one.tasks[task].seconds for one in trainings),
            jerks_m_s3=[jerk for one in trainings for jerk in one.tasks[task].jerks_m_s3],
        )
        for task, result in first.tasks.items()
    }
    return replace(
        first,
        policy=" + ".join(one.policy for one in trainings),
        tasks=tasks,
        trainings=len(trainings),
    )


def _solved(result: TaskResult) -> dict[tuple[int, int], bool]:
    """Whether each episode was solved, by its seed and how often that seed came before."""
    seen: dict[int, int] = {}
    solved = {}
    for outcome in result.outcomes:
        again = seen.get(outcome.seed, 0)
        seen[outcome.seed] = again + 1
        solved[outcome.seed, again] = outcome.success
    return solved
