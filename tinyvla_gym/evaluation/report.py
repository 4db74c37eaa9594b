"""A page with the numbers and the films of an evaluation, in one file."""

import json
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from tinyvla_gym.data.atomic import written_whole
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.evaluation.page import bar, film, heading, page, stacked
from tinyvla_gym.evaluation.published import PUBLISHED, Published
from tinyvla_gym.evaluation.results import Results
from tinyvla_gym.evaluation.suites import TIERS
from tinyvla_gym.evaluation.sweep_section import CAPTION, curve, section, tasks_by_point
from tinyvla_gym.evaluation.sweeps import Sweep
from tinyvla_gym.evaluation.task_result import TaskResult


def write_report(
    results: Results,
    path: Path,
    *,
    title: str,
    videos: Path | None = None,
    sweeps: Sequence[Sweep] = (),
    notes: Sequence[str] = (),
) -> None:
    """Writes a page that needs nothing beside it.

    Args:
        results: What to show.
        path: The page.
        title: Its heading.
        videos: Folder of films, see ``film_path``; those that do not exist are left out.
        sweeps: Shown after the tasks, each with its curve.
        notes: What else a reader should know, a paragraph each, under the headline.

    Raises:
        OutputError: If the place cannot be written to.
        ConfigError: If a sweep is of another policy.
    """
    for sweep in sweeps:
        _check_same_policy(results, sweep)
    body = [
        *_headline(results),
        *(f"<p>{escape(note)}</p>" for note in notes),
        *_tiers(results),
        *_tasks(results),
        *(line for sweep in sweeps for line in section(sweep)),
        *_films(results, videos),
        *_conditions(results),
    ]
    _write(path, title, body)


def write_sweep(sweep: Sweep, path: Path, *, title: str) -> None:
    """Writes a page about a sweep, with its curve; see ``write_report``."""
    body = [
        f"<p>{escape(CAPTION.format(axis=sweep.axis))}</p>",
        *curve(sweep),
        *tasks_by_point(sweep),
        *_conditions(sweep.shared, f"--sweep {sweep.name}"),
    ]
    _write(path, title, body)


def _check_same_policy(results: Results, sweep: Sweep) -> None:
    for found in (point.results for point in sweep.points):
        if (found.fingerprint or found.policy) != (results.fingerprint or results.policy):
            raise ConfigError(
                f"The sweep {sweep.name} is of {found.policy}, and not of the {results.policy} on "
                "this page, or of other weights of it; sweep the same policy."
            )


def _write(path: Path, title: str, body: Iterable[str]) -> None:
    with written_whole(path) as partial:
        partial.write_text(page(title, body), encoding="utf-8")


def _headline(results: Results) -> Iterator[str]:
    name, rate = "task_average", results.task_average
    if results.tier_average is not None and results.conditions.average == "tier":
        name, rate = "tier_average", results.tier_average
    low, high = (100 * bound for bound in results.intervals95[name])
    yield (
        f"<p class='headline'>{100 * rate:.1f} % <small>{name.replace('_', ' ')}, 95 % interval "
        f"{low:.1f} to {high:.1f}</small></p>"
    )
    *found, conditions = results.summary()
    yield from (f"<p>{escape(line)}</p>" for line in found)
    yield f"<p class='facts'>{escape(conditions)}.</p>"


def _tiers(results: Results) -> Iterator[str]:
    if not results.tiers:
        return
    yield "<h2>Tiers, beside what others have published</h2>"
    yield (
        "<p class='facts'>Nobody else's row was run by us. Rows under different protocols do not "
        "compare: look at the column. &dagger; second-hand.</p>"
    )
    names = "".join(f"<th>{tier.replace('_', ' ')}</th>" for tier in TIERS)
    yield (
        f"<div class='wide'><table><thead><tr><th>model</th>{names}<th class='number'>tier "
        "average</th><th>protocol, episodes per task</th></tr></thead><tbody>"
    )
    cells = "".join(
        f"<td>{stacked(results.tiers[tier], results.intervals95[tier])}"
        f"{bar(results.tiers[tier], results.intervals95[tier])}</td>"
        if tier in results.tiers
        else "<td></td>"
        for tier in TIERS
    )
    average = "" if results.tier_average is None else f"{100 * results.tier_average:.1f}"
    conditions = results.conditions
    told = f"{conditions.title}, {results.track}"
    yield (
        f"<tr class='ours'><td>{escape(results.policy)}<small>this page</small></td>{cells}"
        f"<td class='number'>{average}</td>"
        f"<td>{escape(told)}<small>{conditions.episodes}</small></td></tr>"
    )
    yield from (_published(row) for row in PUBLISHED)
    yield "</tbody></table></div>"


def _published(row: Published) -> str:
    cells = "".join(f"<td>{rate:.1f} %{bar(rate / 100)}</td>" for rate in row.tiers)
    mark = " &dagger;" if row.second_hand else ""
    return (
        f"<tr><td>{escape(row.model)}{mark}<small>{escape(row.source)}</small></td>{cells}"
        f"<td class='number'>{row.average:.1f}</td><td>{escape(row.protocol)}"
        f"<small>{escape(row.episodes)}</small></td></tr>"
    )


def _tasks(results: Results) -> Iterator[str]:
    yield "<h2>Tasks</h2><div class='wide'><table class='sorts'><thead><tr>"
    yield heading("task") + heading("sentence", kind="sentence") + heading("solved", kind="number")
    yield heading("rate") + heading("95 % interval", kind="number")
    yield heading("steps to success", kind="number minor")
    yield heading("jerk [m/s³]", kind="number minor") + heading("ms per plan", kind="number minor")
    yield "</tr></thead><tbody>"
    yield from (_task(result) for result in results.tasks.values())
    yield "</tbody></table></div>"


def _task(result: TaskResult) -> str:
    low, high = (100 * bound for bound in result.wilson95)
    measured = (result.steps_to_success, result.jerk_m_s3, result.plan_ms)
    texts = ("" if value is None else f"{value:.1f}" for value in measured)
    return (
        f"<tr><td>{escape(result.task)}</td><td class='sentence'>{escape(result.sentence)}</td>"
        f"<td class='number' data-value='{result.successes}'>{result.successes} of "
        f"{result.episodes}</td><td data-value='{result.rate}'>"
        f"{bar(result.rate, result.wilson95)}</td>"
        f"<td class='number' data-value='{low}'>{low:.0f} to {high:.0f} %</td>"
        + "".join(f"<td class='number minor'>{text}</td>" for text in texts)
        + "</tr>"
    )


def _films(results: Results, videos: Path | None) -> Iterator[str]:
    """Failures first, the tasks that fail most before the others."""
    found: list[tuple[bool, float, str]] = []
    for task, result in results.tasks.items():
        failures = [one for one in result.outcomes if not one.success]
        for suffix, outcome in (("", result.outcomes[0]), ("-failure", (failures or [None])[0])):
            path = videos / f"{task}{suffix}.mp4" if videos else None
            if path is None or outcome is None or not path.exists():
                continue
            ended = f"solved at step {outcome.success_step}" if outcome.success else "not solved"
            caption = (
                f"<strong>{escape(task)}</strong>, seed {outcome.seed}: {ended}<br>"
                f"{escape(outcome.instruction)}"
            )
            shown = film(path, caption, failed=not outcome.success)
            found.append((outcome.success, result.rate, shown))
    if found:
        yield "<h2>Films, failures first</h2><div class='films'>"
        yield from (shown for _, _, shown in sorted(found, key=lambda one: one[:2]))
        yield "</div>"


def _conditions(results: Results, more: str = "") -> Iterator[str]:
    command = " ".join([results.command, more, "--out FOLDER"]).replace("  ", " ")
    yield f"<h2>Play it again</h2><pre>{escape(command)}</pre>"
    yield "<h2>Conditions</h2><dl>"
    facts = {
        **results.conditions.to_dict(),
        "fingerprint of the policy": results.fingerprint or "none",
        "workers": results.workers,
        **results.versions,
    }
    for name, value in facts.items():
        yield f"<dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(_said(name, value))}</dd>"
    yield "</dl>"


def _said(name: str, value: Any) -> str:
    """A condition for people."""
    if value is None:
        return "not at all" if name in ("randomize", "picture_px") else "as policy and env have it"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value in ({}, []):
        return "none"
    return value if isinstance(value, str) else json.dumps(value)
