"""Trains variants on the same data for the same computing time, and compares them in one table.

    tinyvla-gym collect mt10 --out runs/mt10
    python scripts/ablate.py heads --data runs/mt10 --out runs/heads
    python scripts/ablate.py recipe --data runs/mt10 --out runs/recipe

Half an hour for each variant, then 50 episodes of each task: hours on one core. Interrupted at any
time, the same line goes on where it stopped; ``--variants`` does some of them, and the table
holds all that were done. How many steps a variant gets is settled once, by its own pace on this
machine; what it then really took is in the table.
"""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from tinyvla_gym import Protocol, evaluate
from tinyvla_gym.data.atomic import save_json, written_whole
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.data.lerobot.edit import keep_episodes
from tinyvla_gym.errors import ConfigError, TinyVLAError, UnknownNameError
from tinyvla_gym.evaluation.evaluate import policy_fingerprint, versions
from tinyvla_gym.evaluation.playing import ShardPlayer
from tinyvla_gym.evaluation.processes import Crew, ProcessCrew
from tinyvla_gym.evaluation.results import Results
from tinyvla_gym.evaluation.statistics import average_interval, wilson_interval
from tinyvla_gym.evaluation.suites import suite_tasks
from tinyvla_gym.policies.tinyvla.config import HEADS, TinyVLAConfig
from tinyvla_gym.training.config import TrainConfig
from tinyvla_gym.training.dataset import train_on_dataset
from tinyvla_gym.training.logbook import Progress
from tinyvla_gym.training.presets import preset
from tinyvla_gym.training.run_folder import begin_run, check_run

PROBE_STEPS, PROBE_SKIPPED = 40, 20
"""Steps that measure a variant's pace, and how many of them only warm up."""


HEADS_ALONE: dict[str, dict[str, Any]] = {head: {"head": head} for head in sorted(HEADS)}
RECIPE: dict[str, dict[str, Any]] = {
    name: {"head": "regression", "execute": 2, **change}  # as nano is made and played
    for name, change in {
        "baseline": {},
        "baseline-seed-1": {"seed": 1},  # seeds count from the comparison's own
        "baseline-seed-2": {"seed": 2},
        "no-foresight": {"foresight_ticks": ()},
        "no-augmentation": {"shift_px": 0, "jitter": 0.0},
        "shift-3-px": {"shift_px": 3},
        "chunk-8": {"horizon": 8},
        "no-averages": {"ema_decay": 0.0},
        "dull-soft-arg-max": {"backbone_options": {"sharpness": 1.0}},
    }.items()
}
COMPARISONS = {"heads": HEADS_ALONE, "recipe": RECIPE}
"""What can be compared: variants, each with what it changes in a model's or a run's settings."""
SUITES = {
    "heads": ("push", "pick-place", "door-open", "peg-insert-side", "window-close"),
    "recipe": suite_tasks("mt10"),
}


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """One comparison."""

    what: Annotated[Literal["heads", "recipe"], tyro.conf.Positional]
    """heads, or parts of nano's recipe, whose baseline has three seeds to show the noise."""
    data: Path
    """Folder of a dataset that holds the tasks."""
    out: Path
    """Folder for everything that is made; table.md and results.json are the result."""
    suites: tuple[str, ...] = ()
    """Suites of one task each, or reach; trained on together, evaluated one by one. The
    comparison's own if not given."""
    variants: tuple[str, ...] = ()
    """Which variants; all if not given."""
    preset: str = "nano"
    """Everything but what a variant changes and the number of steps."""
    minutes: float = 30.0
    """Computing time of each training [minutes of one core]."""
    episodes: int = 50
    """Episodes per task."""
    seed: int = 0
    """Training seed."""

    @property
    def played(self) -> tuple[str, ...]:
        """The suites that are really played."""
        return self.suites or tuple(f"mt1:{task}" for task in SUITES[self.what])

    def config(self, variant: str) -> TrainConfig:
        """The settings of a variant's training, its steps aside.

        Raises:
            UnknownNameError: If there is no such variant.
        """
        known = COMPARISONS[self.what]
        if variant not in known:
            raise UnknownNameError("variant", variant, known)
        of_model = {entry.name for entry in fields(TinyVLAConfig)}
        model = {key: value for key, value in known[variant].items() if key in of_model}
        rest = {key: value for key, value in known[variant].items() if key not in of_model}
        given = preset(self.preset)
        rest["seed"] = self.seed + rest.get("seed", 0)
        if options := model.get("backbone_options"):
            model["backbone_options"] = {**given.model.backbone_options, **options}
        return replace(given, **rest, model=replace(given.model, **model))

    def settings(self) -> dict[str, Any]:
        """What every row of the table has in common."""
        facts = {k: v for k, v in asdict(self).items() if k not in ("data", "out", "variants")}
        return {**facts, "suites": list(self.played)}


def main(ablation: Ablation) -> None:
    """Does what is not done yet, and writes the table anew after every variant."""
    variants = ablation.variants or tuple(COMPARISONS[ablation.what])
    check_all(ablation, variants)
    check_run(ablation.out, ablation.settings(), resume=True)
    data = chosen_data(ablation)
    begin_run(ablation.out, ablation.settings())
    with ProcessCrew(ShardPlayer, 1) as crew:
        for variant in variants:
            steps = settled_steps(ablation, variant, data)
            spent_min = trained(ablation, variant, data, steps)
            tasks = {suite: evaluated(ablation, variant, suite, crew) for suite in ablation.played}
            print(f"{variant}: {steps} steps in {spent_min:.1f} minutes", flush=True)
            facts = {"steps": steps, "core_minutes": round(spent_min, 1), "tasks": tasks}
            noted(ablation, variant, facts)
    print((ablation.out / "table.md").read_text())


def check_all(ablation: Ablation, variants: Sequence[str]) -> None:
    """Tells before hours of work what could not be done or would say nothing.

    Raises:
        UnknownNameError: If a variant or a suite is misspelt.
        ConfigError: If nothing would be trained or played, or two variants are one.
    """
    if not 0 < ablation.minutes < inf:
        raise ConfigError(f"minutes must be above 0, got {ablation.minutes:g}.")
    for suite in ablation.played:
        suite_tasks(suite)
        Protocol(suite=suite, episodes=ablation.episodes)
    same: dict[str, str] = {}
    for variant in variants:
        first = same.setdefault(str(ablation.config(variant)), variant)
        if first != variant:
            raise ConfigError(f"Under the preset {ablation.preset}, {variant} is {first}.")


def noted(ablation: Ablation, variant: str, facts: dict[str, Any]) -> None:
    """Adds a variant to what was found of the others, and draws the table anew."""
    path = ablation.out / "results.json"
    found = json.loads(path.read_text())["variants"] if path.exists() else {}
    found[variant] = facts
    save_json(path, {"ablation": ablation.settings(), "versions": versions(), "variants": found})
    with written_whole(ablation.out / "table.md") as fresh:
        fresh.write_text(table(ablation.played, found))


def chosen_data(ablation: Ablation) -> Path:
    """Copies the tasks' episodes into a dataset of their own; the same one for every variant.

    Raises:
        ConfigError: If there are none of some task.
    """
    place = ablation.out / "data"
    wanted = {suite.removeprefix("mt1:") for suite in ablation.played} - {"reach"}
    if not wanted:
        return ablation.data  # the toy's, which has one task only
    if place.exists():
        return place
    tasks = [*Dataset(ablation.data).tasks]
    missing = sorted(wanted - set(tasks))
    if missing:
        raise ConfigError(f"{ablation.data} holds no demonstration of {', '.join(missing)}.")
    keep_episodes(ablation.data, [i for i, task in enumerate(tasks) if task in wanted], place)
    return place


def settled_steps(ablation: Ablation, variant: str, data: Path) -> int:
    """How many steps fit into the time; measured once and written down, or no run could resume."""
    note = ablation.out / variant / "steps.txt"
    if note.exists():
        return int(note.read_text())
    config = ablation.config(variant)
    short = replace(
        config, steps=PROBE_STEPS, warmup_steps=1, log_every=PROBE_SKIPPED, save_every=PROBE_STEPS
    )
    marks_s: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        train_on_dataset(
            data,
            Path(scratch) / "run",
            short,
            name=variant,
            on_progress=lambda _line: marks_s.append(time.process_time()),
        )
    pace_s = (marks_s[-1] - marks_s[0]) / (PROBE_STEPS - PROBE_SKIPPED)
    steps = max(2, round(60 * ablation.minutes / pace_s))
    with written_whole(note) as fresh:
        fresh.write_text(str(steps))
    return steps


def trained(ablation: Ablation, variant: str, data: Path, steps: int) -> float:
    """Trains a variant, or goes on with it; returns the computing time of all goes [minutes]."""
    place = ablation.out / variant
    clock = Stopwatch(place / "spent_s.txt")
    if not (place / "run" / "checkpoint" / "config.json").exists():
        config = ablation.config(variant)
        config = replace(config, steps=steps, warmup_steps=min(config.warmup_steps, steps // 2))
        train_on_dataset(
            data, place / "run", config, name=variant, resume=True, on_progress=clock.note
        )
    return clock.spent_s / 60


class Stopwatch:
    """Counts computing time through interruptions; steps that are done twice count twice."""

    def __init__(self, path: Path) -> None:
        """Goes on from what the file says, if there is one."""
        self._path = path
        self.spent_s = float(path.read_text()) if path.exists() else 0.0
        self._since_s = time.process_time()

    def note(self, line: Progress) -> None:
        """Adds what has passed since the last note."""
        now_s = time.process_time()
        self.spent_s += now_s - self._since_s
        self._since_s = now_s
        with written_whole(self._path) as fresh:
            fresh.write_text(str(self.spent_s))
        print(f"  step {line.step} of {line.steps}, loss {line.loss:.4f}", flush=True)


def evaluated(ablation: Ablation, variant: str, suite: str, crew: Crew) -> dict[str, int]:
    """Counts a variant's successes at one task, or reads what was counted."""
    place = ablation.out / variant / suite.replace(":", "-")
    path = place / "results.json"
    policy = str(ablation.out / variant / "run" / "checkpoint")
    results = Results.load(path) if path.exists() else None
    if results is None or results.fingerprint != policy_fingerprint(policy):
        results = evaluate(
            policy,
            Protocol(suite=suite, episodes=ablation.episodes),
            crew=crew,
            shards=place / "shards",
            resume=True,
        )
        results.save(path)
    return {"successes": results.successes, "episodes": results.episodes}


def table(suites: Sequence[str], found: dict[str, Any]) -> str:
    """Writes success rates with 95 % intervals in Markdown, the best average first."""
    names = [suite.removeprefix("mt1:") for suite in suites]
    rows = []
    for variant, facts in found.items():
        counts = [(one["successes"], one["episodes"]) for one in facts["tasks"].values()]
        mean = sum(solved / played for solved, played in counts) / len(counts)
        low, high = average_interval(counts, [1 / len(counts)] * len(counts))
        cells = [_said(*one) for one in counts]
        average = f"{100 * mean:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        rows.append((mean, [variant, average, *cells, str(facts["steps"])]))
    lines = [["variant", "task average", *names, "steps"], ["---"] * (len(names) + 3)]
    lines += [row for _, row in sorted(rows, key=lambda row: -row[0])]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _said(solved: int, played: int) -> str:
    low, high = wilson_interval(solved, played)
    return f"{solved} of {played} ({100 * low:.0f} to {100 * high:.0f} %)"


def command() -> None:
    """Reads the command line; a mistake ends it with a sentence."""
    try:
        main(tyro.cli(Ablation))
    except TinyVLAError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    command()
