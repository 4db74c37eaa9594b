"""The tables about TinyVLA itself in docs/benchmarks.md say what was measured, and no more."""

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs/results"


def findings() -> dict[str, Any]:
    return json.loads((RESULTS / "policies.json").read_text())["findings"]


def drawn_ratios() -> str:
    """The findings that compare."""
    rows = ["| name | what | found | bar | ours | the peer |", "|" + " --- |" * 6]
    for name, found in findings().items():
        if "ratio" not in found:
            continue
        bounds = f"{found['lowest']:.3g} to {found['highest']:.3g}"
        ours, peer = (sorted(found[side])[len(found[side]) // 2] for side in ("ours_s", "peer_s"))
        rows.append(
            f"| `{name}` | {found['what']} | {found['ratio']:.3g}x ({bounds}) "
            f"| {found['bar']:g}x | {ours:.3g} s | {peer:.3g} s |"
        )
    return "\n".join(rows)


def drawn_presets() -> str:
    """What every preset took."""
    rows = ["| preset | weights | a plan | a LoRA step | memory |", "|" + " --- |" * 5]
    for name, found in findings().items():
        if name.startswith("preset-"):
            rows.append(
                f"| `{name.removeprefix('preset-')}` | {found['weights'] / 1e6:.1f} M "
                f"| {found['plan_s']:.3g} s | {found['step_s']:.3g} s | {found['value']:.3g} GB |"
            )
    return "\n".join(rows)


def drawn_sizes() -> str:
    """Plans of all sizes, and of models of seven billion weights."""
    rows = ["| model | actions | a plan | per action |", "|" + " --- |" * 4]
    for row in json.loads((RESULTS / "sizes.json").read_text())["rows"]:
        mark = "about " if row["extrapolated"] else ""
        plan_s, horizon = row["plan_s"], row["horizon"]
        rows.append(
            f"| {row['model']} | {horizon} | {mark}{plan_s:.3g} s "
            f"| {mark}{plan_s / horizon:.3g} s |"
        )
    return "\n".join(rows)


TABLES = {"ratios": drawn_ratios, "presets": drawn_presets, "sizes": drawn_sizes}


@pytest.mark.parametrize("name", TABLES)
def test_the_documentation_shows_what_was_measured(name) -> None:
    text = (ROOT / "docs/benchmarks.md").read_text()

    shown = text.partition(f"<!-- {name} -->\n")[2].partition(f"\n<!-- /{name} -->")[0]

    assert shown == TABLES[name]()
