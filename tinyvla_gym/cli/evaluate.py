"""tinyvla-gym evaluate: success rates, a page and films."""

from dataclasses import dataclass
from pathlib import Path

from tinyvla_gym.cli.console import console, print_results, write_json
from tinyvla_gym.cli.progress import progress
from tinyvla_gym.data.atomic import check_writable
from tinyvla_gym.errors import OutputError
from tinyvla_gym.evaluation.evaluate import EVALUATION_SEED, Protocol, evaluate
from tinyvla_gym.evaluation.report import write_report
from tinyvla_gym.evaluation.suites import suite_tasks
from tinyvla_gym.events import Outcome


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Play a policy over a suite of tasks and count successes."""

    policy: str = "nano"
    """expert, random, a bundled policy, a checkpoint folder, or a hub id owner/name."""
    suite: str = "mt10"
    """mt10, mt50, demo, a tier (easy, medium, hard, very_hard), mt1:<task>, opposites, or
    reach (the toy)."""
    out: Path
    """Folder for results.json, report.html and videos/; without results of before."""
    episodes: int = 50
    """Episodes per task."""
    seed: int = EVALUATION_SEED
    """Seed of the first episode; the others follow."""
    horizon: int | None = None
    """Control steps per episode; the env's own if not given, 500 for MetaWorld."""
    instructions: str = "default"
    """Sentences: default, train, heldout, or blank for none."""
    execute: int | None = None
    """Actions to play per chunk; the policy's own choice if not given."""
    parallel: int = 10
    """Envs per process whose plans share a batch."""
    workers: int = 1
    """Processes, one core each; the result does not depend on it."""
    videos: bool = True
    """Film each task's first episode."""
    any_profile: bool = False
    """Allow pictures drawn otherwise than those the policy was trained on."""
    json: Path | None = None
    """Also write the results to this file."""

    def run(self) -> int:
        """Plays and counts."""
        protocol = Protocol(
            suite=self.suite,
            episodes=self.episodes,
            seed=self.seed,
            horizon=self.horizon,
            instructions=self.instructions,
            execute=self.execute,
            parallel=self.parallel,
        )
        results_path = self.out / "results.json"
        if results_path.exists():
            raise OutputError(results_path, "it holds results; choose another folder.")
        check_writable(results_path)  # before hours of playing
        films = self.out / "videos" if self.videos else None
        title = f"{self.policy} on {self.suite}"
        total = len(suite_tasks(self.suite)) * self.episodes
        ended: list[Outcome] = []
        with progress() as show:
            show(title, 0, total)

            def note(task: str, outcome: Outcome) -> None:
                ended.append(outcome)
                solved = sum(one.success for one in ended)
                show(title, len(ended), total, f"{solved} solved, now {task}")

            results = evaluate(
                self.policy,
                protocol,
                videos=films,
                workers=self.workers,
                any_profile=self.any_profile,
                on_episode=note,
            )
        results.save(results_path)
        write_report(results, self.out / "report.html", title=title, videos=films)
        print_results(results)
        console.print(f"results.json and report.html in {self.out}", soft_wrap=True)
        write_json(self.json, results.to_dict())
        return 0
