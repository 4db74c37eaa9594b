"""What an evaluation found, and how it is written down."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import Any

from tinyvla_gym.data.atomic import save_json
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.evaluation.agents import SCRIPTED
from tinyvla_gym.evaluation.protocols import Protocol
from tinyvla_gym.evaluation.statistics import Interval, average_interval, wilson_interval
from tinyvla_gym.evaluation.suites import TIERS
from tinyvla_gym.evaluation.task_result import TaskResult

FORMAT_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Results:
    """A whole evaluation.

    Attributes:
        policy: What was evaluated.
        protocol: What else the numbers depend on; see ``Protocol``.
        tasks: Results by task.
        seconds: Wall-clock time.
        workers: How many played at a time.
        versions: Of Python and the packages that decide what happens.
        fingerprint: Of the policy's weights, statistics and settings; empty if it has none.
        trainings: How many trainings of the same policy, with different seeds, are pooled.
    """

    policy: str
    protocol: Mapping[str, Any]
    tasks: Mapping[str, TaskResult]
    seconds: float
    workers: int
    versions: Mapping[str, str]
    fingerprint: str = ""
    trainings: int = 1

    @cached_property
    def conditions(self) -> Protocol:
        """The protocol that was played."""
        return Protocol.from_dict(self.protocol)

    @property
    def command(self) -> str:
        """The command line that plays it again; add ``--out``."""
        return f"tinyvla-gym evaluate --policy {self.policy} {self.conditions.flags}"

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

    @cached_property
    def intervals95(self) -> dict[str, Interval]:
        """95 % intervals of ``task_average``, each tier and ``tier_average``, as far as known."""
        weights = {"task_average": dict.fromkeys(self.tasks, 1 / len(self.tasks))}
        weights |= {tier: dict.fromkeys(TIERS[tier], 1 / len(TIERS[tier])) for tier in self.tiers}
        if self.tier_average is not None:
            weights["tier_average"] = {
                task: 1 / len(tasks) / len(TIERS) for tasks in TIERS.values() for task in tasks
            }
        counts = {task: (one.successes, one.episodes) for task, one in self.tasks.items()}
        return {
            name: average_interval([counts[task] for task in of], list(of.values()))
            for name, of in weights.items()
        }

    def summary(self) -> list[str]:
        """Says in a few lines what came out, and everything that it depends on."""
        lines = [
            f"task average {self._said('task_average', self.task_average)}; "
            f"{self.successes} of {self.episodes} episodes solved"
        ]
        if self.tier_average is not None:
            tiers = ", ".join(
                f"{tier} {self._said(tier, rate)}" for tier, rate in self.tiers.items()
            )
            tier_line = f"tier average {self._said('tier_average', self.tier_average)}: {tiers}"
            lines.insert(0 if self.conditions.average == "tier" else 1, tier_line)
        protocol = self.conditions
        facts = [
            f"policy {self.policy}",
            f"protocol {protocol.title} ({protocol.hash})",
            f"{self.track} track",
            f"suite {protocol.suite}",
            f"{protocol.episodes} episodes per task",
            f"seeds from {protocol.seed}",
            f"at most {self.horizon} control steps",
            f"{protocol.instructions} sentences",
            *([] if self.policy in SCRIPTED else [self.trained]),
            f"{self.seconds:.0f} s",
        ]
        return [*lines, ", ".join(facts)]

    @property
    def track(self) -> str:
        """What the policy is shown; the expert looks at the simulator itself."""
        return "privileged" if self.policy == "expert" else self.conditions.track

    @property
    def trained(self) -> str:
        """How many training seeds the numbers stand on."""
        if self.trainings >= 3:
            return f"{self.trainings} training seeds"
        return "one training seed" if self.trainings == 1 else "only two training seeds"

    def _said(self, name: str, rate: float) -> str:
        low, high = (100 * bound for bound in self.intervals95[name])
        return f"{100 * rate:.1f} % ({low:.1f} to {high:.1f})"

    def to_dict(self) -> dict[str, Any]:
        """Returns plain facts, for JSON. Only ``timing`` differs from one run to the next."""
        return {
            "format_version": FORMAT_VERSION,
            "policy": self.policy,
            "fingerprint": self.fingerprint,
            "trainings": self.trainings,
            "command": self.command,
            "protocol": dict(self.protocol),
            "episodes": self.episodes,
            "successes": self.successes,
            "wilson95": wilson_interval(self.successes, self.episodes),
            "task_average": self.task_average,
            "tiers": self.tiers,
            "tier_average": self.tier_average,
            "intervals95": self.intervals95,
            "versions": dict(self.versions),
            "tasks": {name: result.to_dict() for name, result in self.tasks.items()},
            "timing": {
                "seconds": round(self.seconds, 1),
                "workers": self.workers,
                "tasks": {
                    name: {"plan_ms": one.plan_ms, "seconds": one.seconds}
                    for name, one in self.tasks.items()
                },
            },
        }

    def save(self, path: Path) -> None:
        """Writes ``results.json``.

        Raises:
            OutputError: If the place cannot be written to.
        """
        save_json(path, self.to_dict())

    @classmethod
    def load(cls, path: Path) -> "Results":
        """Reads ``results.json``, or the folder that holds it; also those of format 1.

        Raises:
            ConfigError: If it is not there, damaged, or of a later format.
        """
        path = path / "results.json" if path.is_dir() else path
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            version = facts["format_version"]
            if version not in range(1, FORMAT_VERSION + 1):
                raise ConfigError(f"{path} has format {version}; this release reads 1 and 2.")
            return cls.from_dict(facts)
        except OSError as problem:
            raise ConfigError(f"There are no results at {path}: {problem.strerror}.") from problem
        except (AttributeError, KeyError, TypeError, ValueError) as problem:
            if isinstance(problem, ConfigError):
                raise
            raise ConfigError(f"{path} holds no results of ours: {problem!r}.") from problem

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Results":
        """Takes plain facts, as ``to_dict`` returns them.

        Raises:
            AttributeError, KeyError, TypeError or ValueError: If they are none of ours.
        """
        timing = facts.get("timing", facts)  # in format 1 the clock speaks everywhere
        if not facts["tasks"]:
            raise ValueError("no task was played")
        Protocol.from_dict(facts["protocol"])  # told now, not when somebody asks for it
        return cls(
            policy=facts["policy"],
            fingerprint=facts.get("fingerprint", ""),
            trainings=facts.get("trainings", 1),
            protocol=facts["protocol"],
            tasks={
                name: TaskResult.from_dict(task, timing["tasks"][name])
                for name, task in facts["tasks"].items()
            },
            seconds=timing["seconds"],
            workers=timing["workers"],
            versions=facts["versions"],
        )
