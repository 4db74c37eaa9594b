"""What was touched: the file of measurements from which bases, table and tools are found.

A YAML file with up to four parts; lengths in metres, in each arm's own base frame::

    bases: [{left: [x, y, z], right: [x, y, z]}, ...]     the same spots, touched by both
    table: {left: [[x, y, z], ...]}                       spots on the table
    tool: {left: [[joint angles in rad], ...]}            the tip stays on one spot
    gripper: {left: {counts_open: 3, counts_closed: 228}}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from tinyvla_gym.errors import UnknownNameError
from tinyvla_gym.robots.calibration.fitting import CalibrationError

Array = NDArray[np.float64]

PARTS = ("bases", "table", "tool", "gripper")


@dataclass(kw_only=True)
class Touches:
    """Measurements, as they come.

    Attributes:
        bases: Spots that both arms touched: arm to tool position [m], shape (3,).
        table: Arm to tool positions on the table [m].
        tool: Arm to joint angles [rad], shape (J,), while its tip rests on one spot.
        gripper: Arm to ``counts_open`` and ``counts_closed``.
    """

    bases: list[dict[str, list[float]]] = field(default_factory=list)
    table: dict[str, list[list[float]]] = field(default_factory=dict)
    tool: dict[str, list[list[float]]] = field(default_factory=dict)
    gripper: dict[str, dict[str, int]] = field(default_factory=dict)

    def pairs_m(self, first: str, second: str) -> tuple[Array, Array]:
        """The spots that both arms touched, shapes (N, 3) and (N, 3).

        Raises:
            CalibrationError: If a spot lacks one of the arms.
        """
        for index, spot in enumerate(self.bases, 1):
            if set(spot) != {first, second}:
                raise CalibrationError(
                    f"Spot {index} of bases needs both {first} and {second}, got "
                    f"{', '.join(spot) or 'nothing'}."
                )
        return (
            _numbers("bases", [spot[first] for spot in self.bases]),
            _numbers("bases", [spot[second] for spot in self.bases]),
        )

    def of_arm(self, part: str, arm: str) -> Array:
        """What one arm measured for ``table`` or ``tool``, one row per measurement.

        Raises:
            CalibrationError: If there is nothing of this arm.
        """
        found: Mapping[str, list[list[float]]] = getattr(self, part)
        if arm not in found:
            raise CalibrationError(
                f"No {part} was measured with arm {arm}; there is {', '.join(found) or 'nothing'}."
            )
        return _numbers(part, found[arm])


def parse_touches(text: str, *, name: str) -> Touches:
    """Reads measurements; ``name`` is how messages call the file.

    Raises:
        CalibrationError: If it is no such file.
        UnknownNameError: If it has an unknown part.
    """
    try:
        facts = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CalibrationError(f"The file {name} is not YAML: {error}") from error
    if not isinstance(facts, dict):
        raise CalibrationError(f"The file {name} must have parts: {', '.join(PARTS)}.")
    for part, value in facts.items():
        if part not in PARTS:
            raise UnknownNameError(f"part of {name}", str(part), PARTS)
        if not _fits(part, value):
            raise CalibrationError(f"{name}: {part} is not written as docs/rigs.md says.")
    return Touches(**facts)


def write_touches(touches: Touches) -> str:
    """The text of a file that ``parse_touches`` reads."""
    facts = {part: getattr(touches, part) for part in PARTS if getattr(touches, part)}
    return yaml.safe_dump(facts, sort_keys=False, default_flow_style=None, width=100)


def _fits(part: str, value: Any) -> bool:
    rows = value if part == "bases" else [value]
    return isinstance(rows, list) and all(isinstance(row, dict) for row in rows)


def _numbers(part: str, rows: list[list[float]]) -> Array:
    try:
        return np.array(rows, np.float64) if rows else np.zeros((0, 3))
    except (TypeError, ValueError) as error:
        raise CalibrationError(f"{part} has rows that are not equally many numbers.") from error
