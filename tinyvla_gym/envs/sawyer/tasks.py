"""A task's own code, run with faster stand-ins for what it calls."""

import sys
from types import FunctionType
from typing import Any

from tinyvla_gym.envs.sawyer.arithmetic import STAND_INS


def faster(task: type, shared: type) -> type:
    """Makes a subclass whose methods are the task's, save for the global names that they see.

    MetaWorld's own classes and modules stay as they are.

    Args:
        task: One of MetaWorld's fifty classes.
        shared: Replaces what all of them inherit; tasks override it as they do the original.
    """
    names: dict[str, Any] = {
        name: STAND_INS.get(id(value), value)
        for name, value in vars(sys.modules[task.__module__]).items()
    }
    methods = {
        name: _with_names(value, names)
        for name, value in vars(task).items()
        if name != "__init__" and isinstance(value, FunctionType | staticmethod | property)
    }
    made = names[task.__name__] = type(task.__name__, (task, shared), methods)
    return made


def _with_names(method: Any, names: dict[str, Any]) -> Any:
    """Rebuilds a function, static method or property with other global names."""
    if isinstance(method, staticmethod):
        return staticmethod(_with_names(method.__func__, names))
    if isinstance(method, property):
        return property(_with_names(method.fget, names))
    if "assert_task_is_set" in method.__qualname__:  # a check in each call, made once by us
        method = method.__closure__[0].cell_contents
    rebuilt = FunctionType(
        method.__code__, names, method.__name__, method.__defaults__, method.__closure__
    )
    rebuilt.__kwdefaults__ = method.__kwdefaults__
    return rebuilt
