"""What an evaluation found, and how it is written down."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from tinyvla_gym.data.atomic import save_json
from tinyvla_gym.evaluation.agents import SCRIPTED
from tinyvla_gym.evaluation.statistics import wilson_interval
from tinyvla_gym.evaluation.suites import TIERS
from tinyvla_gym.events import Outcome

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """One task's episodes.

    Attributes:
        task: Its name.
        episodes: How many were played.
        successes: How many succeeded.
        wilson95: 95 % interval of the success rate.
        horizon: Control ticks after which an episode was truncated.
        mean_steps: Mean control ticks of an episode.
        sentence: What the first episode was told.
        plan_ms: Median milliseconds per plan in a full batch; None without a planning policy.
        seconds: Wall-clock time.
        outcomes: Every episode, in the order of the seeds.
    """

    task: str
    episodes: int
    successes: int
    wilson95: tuple[float, float]
    horizon: int
    mean_steps: float
    sentence: str
    plan_ms: float | None
    seconds: float
    outcomes: tuple[Outcome, ...]

    @classmethod
    def from_outcomes(
        cls,
        task: str,
        outcomes: Sequence[Outcome],
        *,
        horizon: int,
        plans_ms: Sequence[float],
        seconds: float,
    ) -> "TaskResult":
        """Counts.

        Args:
            task: Its name.
            outcomes: At least one.
            horizon: Control ticks after which an episode was truncated.
            plans_ms: Milliseconds of each plan; may be empty.
            seconds: Wall-clock time.
        """
        successes = sum(outcome.success for outcome in outcomes)
        return cls(
            task=task,
            episodes=len(outcomes),
            successes=successes,
            wilson95=wilson_interval(successes, len(outcomes)),
            horizon=horizon,
            mean_steps=mean(outcome.steps for outcome in outcomes),
            sentence=outcomes[0].instruction,
            plan_ms=median(plans_ms) if plans_ms else None,
            seconds=seconds,
            outcomes=tuple(outcomes),
        )

    @property
    def rate(self) -> float:
        """Share of episodes that succeeded."""
        return self.successes / self.episodes


@dataclass(frozen=True, kw_only=True)
class Results:
    """A whole evaluation.

    Attributes:
        policy: What was evaluated.
        protocol: What else the numbers depend on.
        tasks: Results by task.
        seconds: Wall-clock time.
        workers: Processes that played.
        versions: Of Python and the packages that decide what happens.
    """

    policy: str
    protocol: Mapping[str, Any]
    tasks: Mapping[str, TaskResult]
    seconds: float
    workers: int
    versions: Mapping[str, str]

    @property
    def command(self) -> str:
        """The command line that plays it again; add ``--out``."""
        given = {name: value for name, value in self.protocol.items() if value is not None}
        flags = " ".join(f"--{name} {value}" for name, value in given.items())
        return f"tinyvla-gym evaluate --policy {self.policy} {flags}"

    @property
    def episodes(self) -> int:
        """Episodes of all tasks."""
        return sum(result.episodes for result in self.tasks.values())

    @property
    def successes(self) -> int:
        """Successes of all tasks."""
        return sum(result.successes for result in self.tasks.values())

    @property
    def horizon(self) -> int:
        """The longest horizon of the tasks."""
        return max(result.horizon for result in self.tasks.values())

    @property
    def task_average(self) -> float:
        """Mean of the tasks' success rates."""
        return mean(result.rate for result in self.tasks.values())

    @property
    def tiers(self) -> dict[str, float]:
        """Mean success rate of each difficulty tier that the suite covers whole."""
        return {
            tier: mean(self.tasks[task].rate for task in tasks)
            for tier, tasks in TIERS.items()
            if all(task in self.tasks for task in tasks)
        }

    @property
    def tier_average(self) -> float | None:
        """Mean of the four tiers, what papers print; None unless all are there."""
        return mean(self.tiers.values()) if len(self.tiers) == len(TIERS) else None

    def summary(self) -> list[str]:
        """Says in a few lines what came out, and everything that it depends on."""
        low, high = (100 * bound for bound in wilson_interval(self.successes, self.episodes))
        lines = [
            f"{self.successes} of {self.episodes} episodes solved; "
            f"task average {100 * self.task_average:.1f} %; "
            f"pooled 95 % interval {low:.1f} to {high:.1f} %"
        ]
        if self.tier_average is not None:
            tiers = ", ".join(f"{tier} {100 * rate:.1f}" for tier, rate in self.tiers.items())
            lines.append(f"tier average {100 * self.tier_average:.1f} % ({tiers})")
        protocol = self.protocol
        facts = [
            f"policy {self.policy}",
            f"suite {protocol['suite']}",
            f"{protocol['episodes']} episodes per task",
            f"seeds from {protocol['seed']}",
            f"at most {self.horizon} control steps",
            f"{protocol['instructions']} sentences",
            *([] if self.policy in SCRIPTED else ["one training seed"]),
            f"{self.seconds:.0f} s",
        ]
        return [*lines, ", ".join(facts)]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain lists, numbers and strings, for JSON."""
        return {
            "format_version": FORMAT_VERSION,
            "policy": self.policy,
            "command": self.command,
            "protocol": dict(self.protocol),
            "episodes": self.episodes,
            "successes": self.successes,
            "wilson95": wilson_interval(self.successes, self.episodes),
            "task_average": self.task_average,
            "tiers": self.tiers,
            "tier_average": self.tier_average,
            "seconds": round(self.seconds, 1),
            "workers": self.workers,
            "versions": dict(self.versions),
            "tasks": {name: asdict(result) for name, result in self.tasks.items()},
        }

    def save(self, path: Path) -> None:
        """Writes ``results.json``.

        Raises:
            OutputError: If the place cannot be written to.
        """
        save_json(path, self.to_dict())
