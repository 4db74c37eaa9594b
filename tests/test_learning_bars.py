"""The table in docs/backbones.md says what scripts/learning_bars.sh has measured, and no more."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs/results/learning"
TASKS = {
    "pretrained-nano": {"drawer-open": "drawer-open", "window-close": "window-close"},
    "toy-llava": {"reach": "the toy"},
}


def solved(name: str) -> str:
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return "not measured"
    (task,) = json.loads(path.read_text())["tasks"].values()
    return f"{task['successes']} of {task['episodes']}"


def drawn() -> str:
    rows = ["| policy | task | as it is | adapters frozen | blank sentence |", "|" + " --- |" * 5]
    for policy, tasks in TASKS.items():
        for task, said in tasks.items():
            names = (
                f"{policy}-{task}-default",
                f"{policy}-frozen-{task}-default",
                f"{policy}-{task}-blank",
            )
            cells = " | ".join(map(solved, names))
            rows.append(f"| `{policy}` | {said} | {cells} |")
    return "\n".join(rows)


def test_the_documentation_shows_what_was_measured() -> None:
    text = (ROOT / "docs/backbones.md").read_text()

    assert text.partition("<!-- learning -->\n")[2].partition("\n<!-- /learning -->")[0] == drawn()
