"""The bundled policy is what its card and the README say, and still does what was measured."""

import json
import re
from collections.abc import Callable
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
PARAMETER_LIMIT = 9_500_000
GRAPH_LIMIT_BYTES = 2**20
WEIGHED = ("successes", "episodes")


def measured(name: str) -> dict:
    """One of the evaluations that are checked in."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def block(page: Path) -> str:
    """The table of a page that is drawn from measurements."""
    found = re.search(
        r"<!-- table -->\n(.*?)\n<!-- /table -->", page.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found
    return found[1]


def percent(row: dict) -> str:
    low, high = (100 * bound for bound in row["wilson95"])
    return f"{row['successes']} of {row['episodes']} ({low:.0f} to {high:.0f} %)"


def drawn_tasks() -> str:
    """What the README and docs/mt50.md say about nano."""
    run = measured("nano-mt50")
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


def drawn_ten() -> str:
    """What the card of nano-mt10 says."""
    runs = [measured(f"nano-mt10{name}") for name in ("", "-heldout", "-blank")]
    lines = [
        "| task | default sentence | held-out paraphrases | blank sentence |",
        "| --- | --- | --- | --- |",
    ]
    for task in runs[0]["tasks"]:
        cells = " | ".join(percent(run["tasks"][task]) for run in runs)
        lines.append(f"| {task} | {cells} |")
    totals = [f"{100 * run['task_average']:.1f} % of {run['episodes']} episodes" for run in runs]
    lines.append(f"| **task average** | {' | '.join(totals)} |")
    lines += ["", "Equal half-open starts without a goal marker, opposite sentences:", ""]
    lines += ["| asked | moved as asked |", "| --- | --- |"]
    for task, row in measured("nano-mt10-opposites")["tasks"].items():
        lines.append(f"| {task.replace('-', ' ')} | {percent(row)} |")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("page", "drawn"),
    [
        (ROOT / "README.md", drawn_tasks),
        (ROOT / "docs" / "mt50.md", drawn_tasks),
        (BUNDLED / "nano-mt10" / "README.md", drawn_ten),
    ],
    ids=["readme", "mt50", "mt10"],
)
def test_a_page_says_what_was_measured(page: Path, drawn: Callable[[], str]) -> None:
    assert block(page) == drawn(), f"paste this into {page}:\n\n{drawn()}\n"


@pytest.mark.parametrize("path", sorted(RESULTS.glob("nano*.json")), ids=lambda path: path.stem)
def test_evaluations_say_what_they_depend_on(path: Path) -> None:
    facts = measured(path.stem)

    assert facts["protocol"]["seed"] >= 1_000_000
    assert {"tinyvla-gym", "torch", "metaworld", "mujoco"} <= set(facts["versions"])
    assert facts["command"].startswith(f"tinyvla-gym evaluate --policy {facts['policy']} ")
    assert path.stem.startswith(facts["policy"])


@pytest.mark.parametrize(("name", "tasks"), [("nano", 50), ("nano-mt10", 10)])
def test_a_bundled_policy_is_small_and_made_for_a_known_profile(name: str, tasks: int) -> None:
    policy = load_policy(name)
    size = sum(file.stat().st_size for file in (BUNDLED / name).rglob("*") if file.is_file())

    assert policy.spec.name == name
    assert policy.parameters <= PARAMETER_LIMIT
    assert size <= SIZE_LIMIT_BYTES
    assert policy.spec.profile in PROFILES
    assert policy.facts["data"]["episodes"] == 50 * tasks


@pytest.mark.parametrize("name", ["nano", "nano-mt10"])
def test_both_forms_of_a_bundled_policy_plan_the_same_and_hold_weights_once(name: str) -> None:
    forms = load_policy(name), load_policy(f"onnx:{name}")
    seen = forms[0].spec.interface.observation_space().sample()
    shape = forms[0].spec.noise_shape  # None for nano, whose plans do not vary
    noise = shape and np.random.default_rng(0).standard_normal((3, *shape), np.float32)
    sentences = ("open the drawer", "push the puck to the goal", "")

    plans = [
        policy.plan_batch([{**seen, "instruction": one} for one in sentences], noise=noise)
        for policy in forms
    ]

    np.testing.assert_allclose(*plans, rtol=0, atol=1e-5)
    assert (BUNDLED / name / "model.onnx").stat().st_size < GRAPH_LIMIT_BYTES


@pytest.mark.parametrize(
    ("name", "run", "sample"),
    [
        ("nano", "nano-mt50", ("coffee-button", "plate-slide-back", "drawer-close")),
        ("onnx:nano", "nano-mt50", ("coffee-button", "plate-slide-back", "drawer-close")),
        ("nano-mt10", "nano-mt10", ("drawer-close", "window-close", "button-press-topdown")),
    ],
)
def test_a_bundled_policy_still_does_what_was_measured(
    name: str, run: str, sample: tuple[str, ...]
) -> None:
    before = measured(run)["tasks"]

    agree = []
    for task in sample:
        now = evaluate(name, Protocol(suite=f"mt1:{task}", episodes=3, parallel=3))
        agree += [
            again.success == was["success"]
            for again, was in zip(
                now.tasks[task].outcomes, before[task]["outcomes"][:3], strict=True
            )
        ]

    # Another CPU rounds otherwise, and a long episode may then end otherwise.
    assert sum(agree) >= len(agree) - 1


def test_the_fifty_task_results_are_of_the_weights_that_are_bundled() -> None:
    assert measured("nano-mt50")["fingerprint"] == fingerprint(BUNDLED / "nano")
