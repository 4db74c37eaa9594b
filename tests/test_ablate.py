"""Tests for scripts/ablate.py: the whole comparison in a few seconds, on the toy."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import tinyvla_gym  # noqa: F401 (registers the ids)
from scripts.ablate import (
    COMPARISONS,
    SUITES,
    Ablation,
    Stopwatch,
    check_all,
    chosen_data,
    command,
    main,
    noted,
    settled_steps,
    table,
)
from tinyvla_gym.data.places import ROOT_VARIABLE
from tinyvla_gym.demonstrations import Plan, collect
from tinyvla_gym.envs.registration import REACH_ID
from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.policies.tinyvla.config import HEADS
from tinyvla_gym.training.presets import preset
from tinyvla_gym.training.run_folder import begin_run


@pytest.fixture(scope="module")
def ablation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablation")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ROOT_VARIABLE, str(folder / "cache"))
        collect([REACH_ID], folder / "data", Plan(episodes=2, horizon=30, linger=2))
        yield Ablation(
            what="heads",
            data=folder / "data",
            out=folder / "heads",
            suites=("reach",),
            preset="tiny",
            minutes=0.002,
            episodes=1,
        )


def test_six_heads_end_in_one_table_and_nothing_is_done_twice(ablation, monkeypatch) -> None:
    monkeypatch.setattr("scripts.ablate.PROBE_STEPS", 4)
    monkeypatch.setattr("scripts.ablate.PROBE_SKIPPED", 2)

    main(ablation)

    lines = (ablation.out / "table.md").read_text().splitlines()
    found = json.loads((ablation.out / "results.json").read_text())
    assert len(lines) == 2 + len(HEADS) == 8
    assert set(found["variants"]) == set(HEADS)
    for facts in found["variants"].values():
        assert facts["steps"] >= 2
        assert facts["tasks"]["reach"]["episodes"] == 1
    assert found["ablation"]["seed"] == 0

    for part in ("train_on_dataset", "evaluate"):
        monkeypatch.setattr(f"scripts.ablate.{part}", lambda *_, **__: pytest.fail("again"))
    main(ablation)

    assert (ablation.out / "table.md").read_text().splitlines() == lines


def test_some_of_the_variants_leave_the_others_in_the_table(tmp_path) -> None:
    there = Ablation(what="heads", data=Path(), out=tmp_path, suites=("mt1:push",))
    facts = {"steps": 7, "tasks": {"mt1:push": {"successes": 1, "episodes": 2}}}

    noted(there, "flow", facts)
    noted(replace(there, variants=("act",)), "act", facts)

    found = json.loads((tmp_path / "results.json").read_text())
    assert [*found["variants"]] == ["flow", "act"]
    assert len((tmp_path / "table.md").read_text().splitlines()) == 4


def test_a_folder_of_another_comparison_is_refused(ablation, tmp_path) -> None:
    there = replace(ablation, out=tmp_path)
    begin_run(tmp_path, there.settings())

    with pytest.raises(ConfigError, match="minutes"):
        main(replace(there, minutes=1.0))


def test_the_number_of_steps_is_settled_once(ablation, tmp_path) -> None:
    there = replace(ablation, out=tmp_path)
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow" / "steps.txt").write_text("123")

    assert settled_steps(there, "flow", ablation.data) == 123


def test_data_without_the_tasks_is_refused(ablation, tmp_path) -> None:
    with pytest.raises(ConfigError, match="holds no demonstration of door-open, push"):
        chosen_data(replace(ablation, out=tmp_path, suites=("mt1:push", "mt1:door-open")))


@pytest.mark.parametrize("what", COMPARISONS)
def test_every_variant_differs_from_every_other(what, ablation) -> None:
    for seed in (0, 1, 2):
        check_all(replace(ablation, what=what, preset="nano", seed=seed), tuple(COMPARISONS[what]))
    there = replace(ablation, what=what, preset="nano", seed=5)
    configs = {name: there.config(name) for name in COMPARISONS[what]}

    assert len({str(config) for config in configs.values()}) == len(configs)
    if what == "recipe":
        assert [configs[f"baseline{name}"].seed for name in ("", "-seed-1", "-seed-2")] == [5, 6, 7]
        assert configs["chunk-8"].model.horizon == 8
        assert {config.model.execute for config in configs.values()} == {2}
        assert {config.model.head for config in configs.values()} == {"regression"}


def test_a_variant_changes_only_what_it_names(ablation) -> None:
    there = replace(ablation, what="recipe", preset="nano-1cam")

    options = there.config("dull-soft-arg-max").model.backbone_options

    assert options == {**preset("nano-1cam").model.backbone_options, "sharpness": 1.0}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"preset": "tiny", "variants": ("baseline", "chunk-8")}, "tiny, chunk-8 is baseline"),
        ({"minutes": float("nan")}, "minutes must be above 0, got nan"),
        ({"minutes": -1.0}, "minutes must be above 0, got -1"),
        ({"episodes": 0}, "episodes"),
    ],
)
def test_what_would_say_nothing_is_refused_before_anything_is_done(
    change, told, ablation, tmp_path
) -> None:
    with pytest.raises(ConfigError, match=told):
        main(replace(ablation, **{"what": "recipe", "out": tmp_path, **change}))

    assert not list(tmp_path.iterdir())


def test_a_comparison_has_its_own_tasks(ablation) -> None:
    there = replace(ablation, what="recipe", suites=())

    assert there.played == tuple(f"mt1:{task}" for task in SUITES["recipe"])
    assert len(there.settings()["suites"]) == 10


def test_an_unknown_variant_is_named_before_anything_is_done(ablation, tmp_path) -> None:
    there = replace(ablation, what="recipe", out=tmp_path, variants=("baseline", "no-foresite"))

    with pytest.raises(UnknownNameError, match="Did you mean 'no-foresight'"):
        main(there)

    assert not list(tmp_path.iterdir())


def test_the_stopwatch_goes_on(tmp_path) -> None:
    (tmp_path / "spent_s.txt").write_text("60.0")

    assert Stopwatch(tmp_path / "spent_s.txt").spent_s == 60.0


def test_the_table_has_intervals_and_the_best_first() -> None:
    counts = {"a": (10, 20), "b": (20, 20)}
    found = {
        name: {"steps": 7, "tasks": {"mt1:push": {"successes": solved, "episodes": played}}}
        for name, (solved, played) in counts.items()
    }

    lines = table(["mt1:push"], found).splitlines()

    assert lines[0] == "| variant | task average | push | steps |"
    assert lines[2] == "| b | 100.0 % (83.9 to 100.0) | 20 of 20 (84 to 100 %) | 7 |"
    assert lines[3].startswith("| a | 50.0 % (")
    assert "10 of 20 (30 to 70 %)" in lines[3]


def test_a_mistake_is_one_sentence(tmp_path, monkeypatch) -> None:
    line = ["ablate.py", "heads", "--data", str(tmp_path / "gone"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", line)

    with pytest.raises(SystemExit, match="gone cannot be used"):
        command()


def test_the_documentation_shows_what_was_found() -> None:
    docs = Path(__file__).parents[1] / "docs"
    found = json.loads((docs / "results" / "heads.json").read_text())
    text = (docs / "heads.md").read_text()

    drawn = text.partition("<!-- heads -->\n")[2].partition("<!-- /heads -->")[0]
    assert drawn == table(found["ablation"]["suites"], found["variants"])
    assert {facts["core_minutes"] // 10 for facts in found["variants"].values()} <= {2, 3}
