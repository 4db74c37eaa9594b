"""What an evaluation found about one task."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, median
from typing import Any

from tinyvla_gym.evaluation.statistics import Interval, wilson_interval
from tinyvla_gym.events import Outcome


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
        jerks_m_s3: Commanded jerk of each episode [m/s^3]; see ``commanded_jerk``.
    """

    task: str
    episodes: int
    successes: int
    wilson95: Interval
    horizon: int
    mean_steps: float
    sentence: str
    plan_ms: float | None
    seconds: float
    outcomes: tuple[Outcome, ...]
    jerks_m_s3: tuple[float | None, ...] = ()

    @classmethod
    def from_outcomes(
        cls,
        task: str,
        outcomes: Sequence[Outcome],
        *,
        horizon: int,
        plans_ms: Sequence[float],
        seconds: float,
        jerks_m_s3: Sequence[float | None] = (),
    ) -> "TaskResult":
        """Counts.

        Args:
            task: Its name.
            outcomes: At least one.
            horizon: Control ticks after which an episode was truncated.
            plans_ms: Milliseconds of each plan; may be empty.
            seconds: Wall-clock time.
            jerks_m_s3: One per episode; empty if nobody measured.
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
            jerks_m_s3=tuple(jerks_m_s3) or (None,) * len(outcomes),
        )

    @property
    def rate(self) -> float:
        """Share of episodes that succeeded."""
        return self.successes / self.episodes

    @property
    def steps_to_success(self) -> float | None:
        """Median control ticks to the first success, of the episodes that had one."""
        steps = [one.success_step for one in self.outcomes if one.success_step is not None]
        return median(steps) if steps else None

    @property
    def jerk_m_s3(self) -> float | None:
        """Mean commanded jerk of the episodes that had one [m/s^3]."""
        jerks = [jerk for jerk in self.jerks_m_s3 if jerk is not None]
        return mean(jerks) if jerks else None

    def rows(self) -> list[dict[str, Any]]:
        """One plain row per episode."""
        return [
            {**asdict(outcome), "jerk_m_s3": jerk}
            for outcome, jerk in zip(self.outcomes, self.jerks_m_s3, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain facts, for JSON; what a clock said is left out."""
        return {
            "task": self.task,
            "episodes": self.episodes,
            "successes": self.successes,
            "wilson95": self.wilson95,
            "horizon": self.horizon,
            "mean_steps": self.mean_steps,
            "steps_to_success": self.steps_to_success,
            "jerk_m_s3": self.jerk_m_s3,
            "sentence": self.sentence,
            "outcomes": self.rows(),
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any], timing: Mapping[str, Any]) -> "TaskResult":
        """Reads what ``to_dict`` wrote, and what the clock said beside it."""
        jerks = [row.get("jerk_m_s3") for row in facts["outcomes"]]
        outcomes = [
            Outcome(**{name: row[name] for name in row if name != "jerk_m_s3"})
            for row in facts["outcomes"]
        ]
        plan_ms = timing["plan_ms"]
        return cls.from_outcomes(
            facts["task"],
            outcomes,
            horizon=facts["horizon"],
            plans_ms=[] if plan_ms is None else [plan_ms],
            seconds=timing["seconds"],
            jerks_m_s3=jerks,
        )
