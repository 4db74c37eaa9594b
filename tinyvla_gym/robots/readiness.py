"""Whether a rig is known well enough to let its arms move: what is checked before ``live``."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import ConfigError, TinyVLAError
from tinyvla_gym.robots.spec import ArmSpec, RigSpec

UNSET = "unset"
"""A serial that the rig file still lacks."""
RESIDUAL_MAX_M = 0.005
"""Two arms whose places to each other are known worse than this may not move [m]."""
TCP_AWAY_MAX_M = 0.001
"""So far may the controller's TCP lie from the file's [m]."""
PAYLOAD_AWAY_MAX_KG = 0.05
"""So much may the controller's payload differ from the file's [kg]."""


class ToolFacts(Protocol):
    """What a controller says about its tool."""

    @property
    def flange_to_tcp_m(self) -> NDArray[np.float64]:
        """The TCP in the flange's frame [m], shape (3,)."""
        ...

    @property
    def payload_kg(self) -> float:
        """The payload [kg]."""
        ...


class NotReadyError(TinyVLAError, RuntimeError):
    """A rig that must not move yet; nothing has."""

    def __init__(self, rig: str, problems: Sequence[str]) -> None:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"{rig} must not move yet:\n{listed}")


def check_live(rig: RigSpec, live: str) -> None:
    """Refuses to move real arms for somebody who has not looked at them, or where they may collide.

    Args:
        rig: The rig as its file describes it.
        live: The rig's serial, as it was typed; nothing is checked when empty.

    Raises:
        ConfigError: If that is not the serial.
        NotReadyError: If two real arms were not calibrated to each other, or badly.
    """
    if not live:
        return
    if rig.serial == UNSET:
        raise ConfigError(f"{rig.name} cannot be live: its file has no serial yet.")
    if live != rig.serial:
        raise ConfigError(f"live={live!r} is not the serial of {rig.name}; nothing will move.")
    problems = list(_base_problems(rig))
    if problems and any(arm.driver != "simulated" for arm in rig.arms):
        raise NotReadyError(rig.name, problems)


def check_ready(rig: RigSpec, controllers: Mapping[str, ToolFacts]) -> None:
    """Refuses a rig that is not calibrated, or whose controllers disagree with its file.

    Args:
        rig: The rig as its file describes it.
        controllers: What each arm's controller says, by the arm's name.

    Raises:
        NotReadyError: With everything that is in the way.
    """
    problems = list(_base_problems(rig))
    for arm in rig.arms:
        if arm.name not in controllers:
            problems.append(f"The controller of arm {arm.name} did not say which tool it has.")
        else:
            problems += _tool_problems(arm, controllers[arm.name])
    if problems:
        raise NotReadyError(rig.name, problems)


def _base_problems(rig: RigSpec) -> Iterator[str]:
    if len(rig.arms) < 2:
        return
    residual_m = rig.calibration_residual_m
    remedy = "Run: tinyvla-gym calibrate RIG.yaml bases"
    if residual_m is None:
        yield f"Its two bases have not been calibrated to each other. {remedy}"
    elif not residual_m <= RESIDUAL_MAX_M:
        yield (
            f"Its two bases are known to {1000 * residual_m:.1f} mm only; "
            f"{1000 * RESIDUAL_MAX_M:.0f} mm are wanted. {remedy}"
        )


def _tool_problems(arm: ArmSpec, facts: ToolFacts) -> Iterator[str]:
    away_m = float(np.linalg.norm(facts.flange_to_tcp_m - np.array(arm.tcp_offset_m)))
    if not away_m <= TCP_AWAY_MAX_M:  # also where it is not a number
        yield (
            f"The controller of arm {arm.name} has its TCP {1000 * away_m:.1f} mm away from the "
            f"file's {list(arm.tcp_offset_m)} m. Correct the one that is wrong."
        )
    if not abs(facts.payload_kg - arm.payload_kg) <= PAYLOAD_AWAY_MAX_KG:
        yield (
            f"The controller of arm {arm.name} has a payload of {facts.payload_kg:.2f} kg, the "
            f"file {arm.payload_kg:.2f} kg. Correct the one that is wrong."
        )
