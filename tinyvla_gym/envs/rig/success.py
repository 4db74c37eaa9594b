"""What counts as success on a rig: a key that the operator presses, a comparison, or a function."""

import operator
import re
import select
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.interface import Observation

Success = Callable[[Observation], bool]
"""Looks at an observation and says whether the task is solved."""

_COMPARISON = re.compile(r"\s*(\w+)\s*(<=|>=|<|>)\s*([-+.\deE]+)\s*")
_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class Keys:
    """The operator's keys, each with Enter: s for success, f for failure. Nobody waits."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Listens to a stream with a file descriptor; standard input when None."""
        self._stream = stream or sys.stdin
        self.failed = False

    def __call__(self, observation: Observation) -> bool:
        """Whether s was pressed since the last question; f is remembered in ``failed``."""
        pressed = ""
        while select.select([self._stream], [], [], 0.0)[0]:
            line = self._stream.readline()
            if not line:
                break  # nobody is there any more
            pressed += line.strip().lower()
        self.failed = self.failed or "f" in pressed
        return "s" in pressed


def read_success(success: str | Success | None, state: Sequence[str]) -> Success:
    """Makes a function of what a user calls success.

    Args:
        success: None is never, ``"key"`` the operator's keys, ``"tcp_z_m > 0.3"`` compares an
            entry of the state with a number; a function is taken as it is.
        state: Names of the state's entries.

    Raises:
        ConfigError: If a text is neither.
        UnknownNameError: If the state has no entry of that name.
    """
    if success is None:
        return lambda observation: False
    if callable(success):
        return success
    if success == "key":
        return Keys()
    comparison = _COMPARISON.fullmatch(success)
    if comparison is None:
        raise ConfigError(
            f"success is 'key', a comparison such as '{state[2]} > 0.3', or a function; "
            f"got {success!r}."
        )
    name, sign, number = comparison.groups()
    if name not in state:
        raise UnknownNameError("entry of the state", name, state)
    index, compare, bound = list(state).index(name), _COMPARE[sign], float(number)
    return lambda observation: bool(compare(float(observation["state"][index]), bound))
