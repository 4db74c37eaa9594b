"""The bundled policy is what its card and the README say, and still does what was measured."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tinyvla_gym import Protocol, evaluate, load_policy
from tinyvla_gym.envs.profiles import PROFILES
from tinyvla_gym.evaluation.suites import TIERS
from tinyvla_gym.policies.checkpoint import fingerprint
from tinyvla_gym.policies.load import BUNDLED

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
SIZE_LIMIT_BYTES = 20 * 2**20
GRAPH_LIMIT_BYTES = 2**20
PARAMETER_LIMIT = 9_500_000
WEIGHED = ("successes", "episodes")


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


@pytest.mark.parametrize("name", ["nano", "nano-mt50"])
def test_both_forms_of_a_bundled_policy_plan_the_same_and_hold_weights_once(name: str) -> None:
    forms = load_policy(name), load_policy(f"onnx:{name}")
    seen = forms[0].spec.interface.observation_space().sample()
    noise = np.random.default_rng(0).standard_normal((3, *forms[0].spec.noise_shape), np.float32)
    sentences = ("open the drawer", "push the puck to the goal", "")

    plans = [
        policy.plan_batch([{**seen, "instruction": one} for one in sentences], noise=noise)
        for policy in forms
    ]

    np.testing.assert_allclose(*plans, rtol=0, atol=1e-5)
    assert (BUNDLED / name / "model.onnx").stat().st_size < GRAPH_LIMIT_BYTES


@pytest.mark.parametrize("form", ["nano", "onnx:nano"])
def test_the_bundled_policy_still_does_what_was_measured(form: str) -> None:
    sample = ("drawer-close", "window-close", "button-press-topdown")
    before = measured("mt10")["tasks"]

    agree = []
    for task in sample:
        now = evaluate(form, Protocol(suite=f"mt1:{task}", episodes=3, parallel=3))
        agree += [
            again.success == was["success"]
            for again, was in zip(
                now.tasks[task].outcomes, before[task]["outcomes"][:3], strict=True
            )
        ]

    # Another CPU rounds otherwise, and a long episode may then end otherwise.
    assert sum(agree) >= len(agree) - 1


def drawn_tiers() -> str:
    """What docs/mt50.md says about nano-mt50, from the evaluation that is checked in."""
    run = measured("mt50")
    lines = ["| tier | solved | tasks below 80 % |", "| --- | --- | --- |"]
    for tier, names in TIERS.items():
        rows = {name: run["tasks"][name] for name in names}
        solved, played = (sum(row[key] for row in rows.values()) for key in WEIGHED)
        weak = [
            f"{name} {100 * row['successes'] / row['episodes']:.0f}"
            for name, row in sorted(rows.items(), key=lambda item: item[1]["successes"])
            if row["successes"] < 0.8 * row["episodes"]
        ]
        rate = f"{100 * run['tiers'][tier]:.1f} % ({solved} of {played})"
        lines.append(f"| {tier.replace('_', ' ')} | {rate} | {', '.join(weak) or 'none'} |")
    low, high = (100 * bound for bound in run["intervals95"]["tier_average"])
    tiers = f"**{100 * run['tier_average']:.1f} %** ({low:.1f} to {high:.1f})"
    lines.append(f"| **tier average** | {tiers} | |")
    lines.append(f"| task average | {100 * run['task_average']:.1f} % | |")
    return "\n".join(lines)


def test_the_page_on_fifty_tasks_says_what_was_measured() -> None:
    page = (ROOT / "docs" / "mt50.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- table -->\n(.*?)\n<!-- /table -->", page, re.DOTALL)

    assert block
    assert block[1] == drawn_tiers(), f"paste this into docs/mt50.md:\n\n{drawn_tiers()}\n"


def test_the_fifty_task_policy_still_does_what_was_measured() -> None:
    policy, run = load_policy("nano-mt50"), measured("mt50")
    assert policy.facts["data"]["episodes"] == 50 * 50
    assert run["fingerprint"] == fingerprint(BUNDLED / "nano-mt50")

    agree = []
    for task in ("coffee-button", "plate-slide-back", "drawer-close"):
        now = evaluate("nano-mt50", Protocol(suite=f"mt1:{task}", episodes=3, parallel=3))
        before = run["tasks"][task]["outcomes"][:3]
        agree += [
            again.success == was["success"]
            for again, was in zip(now.tasks[task].outcomes, before, strict=True)
        ]

    assert sum(agree) >= len(agree) - 1
