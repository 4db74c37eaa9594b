"""The bundled policy is what its card and the README say, and still does what was measured."""

import json
import re
from pathlib import Path

import pytest

from tinyvla_gym import Protocol, evaluate, load_policy
from tinyvla_gym.envs.profiles import PROFILES
from tinyvla_gym.policies.load import BUNDLED

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
SIZE_LIMIT_BYTES = 20 * 2**20
PARAMETER_LIMIT = 9_500_000


def measured(name: str) -> dict:
    """One of the evaluations that are checked in."""
    return json.loads((RESULTS / f"nano-{name}.json").read_text(encoding="utf-8"))


def percent(row: dict) -> str:
    low, high = (100 * bound for bound in row["wilson95"])
    return f"{row['successes']} of {row['episodes']} ({low:.0f} to {high:.0f} %)"


def drawn_table() -> str:
    """What the README says about nano, from the evaluations that are checked in."""
    default, heldout, blank = (measured(name) for name in ("mt10", "mt10-heldout", "mt10-blank"))
    opposites = measured("opposites")
    lines = [
        "| task | default sentence | held-out paraphrases | blank sentence |",
        "| --- | --- | --- | --- |",
    ]
    for task, row in default["tasks"].items():
        others = percent(heldout["tasks"][task]), percent(blank["tasks"][task])
        lines.append(f"| {task} | {percent(row)} | {others[0]} | {others[1]} |")
    totals = [
        f"{100 * run['task_average']:.1f} % of {run['episodes']} episodes"
        for run in (default, heldout, blank)
    ]
    lines.append(f"| **task average** | {' | '.join(totals)} |")
    lines += ["", "Equal half-open starts without a goal marker, opposite sentences:", ""]
    lines += ["| asked | moved as asked |", "| --- | --- |"]
    for task, row in opposites["tasks"].items():
        lines.append(f"| {task.replace('-', ' ')} | {percent(row)} |")
    return "\n".join(lines)


def test_the_readme_says_what_was_measured() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- table -->\n(.*?)\n<!-- /table -->", readme, re.DOTALL)

    assert block
    assert block[1] == drawn_table(), f"paste this into README.md:\n\n{drawn_table()}\n"


@pytest.mark.parametrize("name", ["mt10", "mt10-heldout", "mt10-blank", "opposites"])
def test_evaluations_say_what_they_depend_on(name: str) -> None:
    facts = measured(name)

    assert facts["protocol"]["seed"] >= 1_000_000
    assert {"tinyvla-gym", "torch", "metaworld", "mujoco"} <= set(facts["versions"])
    assert facts["command"].startswith("tinyvla-gym evaluate --policy nano")


def test_the_bundled_policy_is_small_and_made_for_a_known_profile() -> None:
    policy = load_policy("nano")
    size = sum(file.stat().st_size for file in (BUNDLED / "nano").rglob("*") if file.is_file())

    assert policy.parameters <= PARAMETER_LIMIT
    assert size <= SIZE_LIMIT_BYTES
    assert policy.spec.profile in PROFILES
    assert policy.facts["data"]["episodes"] == 500


def test_the_bundled_policy_still_does_what_was_measured() -> None:
    sample = ("drawer-close", "window-close", "button-press-topdown")
    before = measured("mt10")["tasks"]

    agree = []
    for task in sample:
        now = evaluate("nano", Protocol(suite=f"mt1:{task}", episodes=3, parallel=3))
        agree += [
            again.success == was["success"]
            for again, was in zip(
                now.tasks[task].outcomes, before[task]["outcomes"][:3], strict=True
            )
        ]

    # Another CPU rounds otherwise, and a long episode may then end otherwise.
    assert sum(agree) >= len(agree) - 1
