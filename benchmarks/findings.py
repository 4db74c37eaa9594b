"""What a benchmark found: printed for people, and kept as JSON."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rounds import Round, summary
from tinyvla_gym.data.atomic import save_json

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One number with everything it depends on.

    Attributes:
        name: ``pixels-84``.
        number: Its row in the table of docs/benchmarks.md.
        what: What is compared, in a few words.
        peer: Whom ours is compared with, and its version.
        bar: The ratio to reach, or for a ``value`` what it may be at most.
        rounds: The interleaved rounds, unless there is only a ``value``.
        unit: What a round's seconds are for, or the value's unit.
        value: What was measured where there is no peer's time to divide by.
        check: What made the sides comparable, and what it found.
        more: Further figures, by name.
        versions: Of what each side consists.
    """

    name: str
    number: int
    what: str
    peer: str
    bar: float
    unit: str
    check: dict[str, Any]
    rounds: list[Round] = field(default_factory=list)
    value: float | None = None
    more: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether the bar is reached."""
        if self.value is not None:
            return self.value <= self.bar
        return summary(self.rounds)["ratio"] >= self.bar

    def to_dict(self) -> dict[str, Any]:
        """Plain facts, for JSON."""
        numbers = {"value": self.value} if self.value is not None else summary(self.rounds)
        return {
            "number": self.number,
            "what": self.what,
            "peer": self.peer,
            "unit": self.unit,
            **numbers,
            "bar": self.bar,
            "met": self.met,
            "check": self.check,
            **self.more,
            "versions": self.versions,
        }

    def lines(self) -> Iterable[str]:
        """Says it in words."""
        verdict = "reached" if self.met else "missed"
        if self.value is not None:
            yield f"{self.name}: {self.value:.3g} {self.unit}; at most {self.bar:g}: {verdict}"
        else:
            found = summary(self.rounds)
            yield (
                f"{self.name}: {found['ratio']:.3g}x {self.peer} "
                f"({found['lowest']:.3g} to {found['highest']:.3g} in {len(self.rounds)} rounds); "
                f"bar {self.bar:g}x: {verdict}"
            )
            ours, peer = (
                sorted(found[side])[len(self.rounds) // 2] for side in ("ours_s", "peer_s")
            )
            yield f"  per {self.unit}: ours {_time(ours)}, peer {_time(peer)}"
        yield f"  check: {', '.join(f'{name} {_shown(fact)}' for name, fact in self.check.items())}"
        for name, fact in self.more.items():
            yield f"  {name.replace('_', ' ')}: {_shown(fact)}"


def save(path: Path, findings: Iterable[Finding], circumstances: dict[str, Any]) -> None:
    """Puts findings into a file, beside those of other benchmarks that it holds already.

    Args:
        path: A JSON file, new or written by this.
        findings: What was found.
        circumstances: Machine, versions, and whether the machine was busy.
    """
    held = json.loads(path.read_text())["findings"] if path.exists() else {}
    held |= {finding.name: {**finding.to_dict(), **circumstances} for finding in findings}
    ordered = dict(sorted(held.items(), key=lambda item: (item[1]["number"], item[0])))
    save_json(path, {"format_version": FORMAT, "findings": ordered})


def _time(seconds: float) -> str:
    for size, unit in ((60.0, "min"), (1.0, "s"), (1e-3, "ms")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def _shown(fact: Any) -> str:
    if isinstance(fact, float):
        return f"{fact:.3g}"
    if isinstance(fact, dict):
        return ", ".join(f"{name} {_shown(value)}" for name, value in fact.items())
    return str(fact)
