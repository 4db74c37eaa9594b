"""What an arm's own controller says about itself, to be compared with the rig file."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class ControllerFacts:
    """Asked once, before anything moves. None is what a controller does not tell.

    Attributes:
        software: Its software, or the library that it was asked through, with the version.
        serial: Its serial number.
        remote_control: Whether it lets itself be driven from outside.
        flange_to_tcp_m: The tool point that it knows, in the flange's frame [m], shape (3,).
        payload_kg: The payload that it knows [kg].
    """

    software: str
    serial: str | None
    remote_control: bool | None
    flange_to_tcp_m: NDArray[np.float64]
    payload_kg: float


@runtime_checkable
class TellsFacts(Protocol):
    """A driver whose controller can be asked; simulated arms have none."""

    def facts(self) -> ControllerFacts:
        """Asks it."""
        ...
