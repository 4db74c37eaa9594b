"""No rule of the safety filter, and no event that it tells, goes without a test that names it."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parents[1] / "tinyvla_gym/robots"

TOLD = re.compile(r'(?<!return )(?:\b(\d+), |rule=(\d+),\s+name=)"([a-z_]+)"')
TESTED = re.compile(r"def test_rule_(\d+)_")


def sources(folder: Path) -> str:
    """What is in the files of a folder; drivers and emulators below it tell no events."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py")))


def events(source: str) -> set[tuple[int, str]]:
    """Rule and name of every event that a source tells of."""
    return {(int(first or second), name) for first, second, name in TOLD.findall(source)}


def untested(package: str, tests: str) -> list[str]:
    """Rules without a test of their own, and events that no test mentions."""
    tested = {int(number) for number in TESTED.findall(tests)}
    rules = [f"rule {rule}" for rule in range(1, 22) if rule not in tested]
    return rules + [name for _, name in sorted(events(package)) if f'"{name}"' not in tests]


def test_every_rule_and_every_event_has_a_test() -> None:
    assert {rule for rule, _ in events(sources(PACKAGE))} >= {*range(3, 15), 16, 17, 18, 19}
    assert untested(sources(PACKAGE), sources(TESTS)) == []


@pytest.mark.parametrize(
    ("code", "test", "missing"),
    [
        ('self.event(now_s, 9, "retimed")', "def test_rule_9_x(): pass", "retimed"),
        ('SafetyEvent(rule=4,\n    name="clipped")', "", "clipped"),
        ("", "def test_rule_19_x(): pass", "rule 20"),
    ],
)
def test_what_is_not_tested_is_named(code: str, test: str, missing: str) -> None:
    assert missing in untested(code, test)
    assert missing not in untested(code, test + f'\ndef test_rule_20_x(): told("{missing}")')
