"""Rig files: a ``RigSpec`` as YAML, read strictly, and the rigs that come with the package."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from itertools import takewhile
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.robots.limits import SafetyLimits, limits_from
from tinyvla_gym.robots.spec import RigSpec

SHIPPED = Path(__file__).parent / "rigs"


def shipped_rigs() -> tuple[str, ...]:
    """Names of the rigs that come with the package."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.yaml")))


def load_rig(rig: str | Path) -> RigSpec:
    """Reads a rig.

    Args:
        rig: The name of a shipped rig, or the path of a file that ends in ``.yaml``.

    Raises:
        UnknownNameError: If there is no such rig, or the file has an unknown entry.
        ConfigError: If the file is not readable as a rig, or asks more than its arms allow.
    """
    path = Path(rig)
    if path.suffix not in (".yaml", ".yml"):
        if str(rig) not in shipped_rigs():
            raise UnknownNameError("rig", str(rig), shipped_rigs())
        path = SHIPPED / f"{rig}.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"The rig file {path} cannot be read: {error.strerror}.") from error
    return parse_rig(text, name=str(path))


def parse_rig(text: str, *, name: str) -> RigSpec:
    """Reads a rig from the text of a file; ``name`` is how messages call it."""
    try:
        facts = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"The rig file {name} is not YAML: {error}") from error
    return _read(RigSpec, facts, name)


def write_rig(rig: RigSpec) -> str:
    """The text of a file from which ``parse_rig`` makes an equal rig."""
    return yaml.safe_dump(_plain(asdict(rig)), sort_keys=False, allow_unicode=True)


def updated_rig(text: str, before: RigSpec, after: RigSpec) -> str:
    """The text of a rig's file with what has changed, and everything else as it stands there.

    Comments survive above the first entry only.

    Args:
        text: The file's text, from which ``before`` was read.
        before: The rig as it was.
        after: The rig as it shall be, with the same arms and cameras.
    """
    head = "".join(takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))
    facts = _changed(yaml.safe_load(text), before, after)
    return head + yaml.safe_dump(facts, sort_keys=False, default_flow_style=None, width=100)


def _changed(facts: Any, before: Any, after: Any) -> Any:
    """Plain facts in which what differs between two values is the second's."""
    if before == after:
        return facts
    if isinstance(before, tuple) and isinstance(after, tuple) and isinstance(facts, list):
        if len(facts) == len(before) == len(after):
            return [_changed(*three) for three in zip(facts, before, after, strict=True)]
        return _plain(after)
    if is_dataclass(before) and is_dataclass(after) and isinstance(facts, dict):
        pairs = {f.name: (getattr(before, f.name), getattr(after, f.name)) for f in fields(after)}
        news = {key: _changed(facts.get(key), *pair) for key, pair in pairs.items()}
        return {key: news[key] for key in news if key in facts or pairs[key][0] != pairs[key][1]}
    return _plain(asdict(after) if is_dataclass(after) and not isinstance(after, type) else after)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, tuple | list) else value


def _read(kind: Any, value: Any, where: str) -> Any:
    """Turns what YAML gave into a type of ``spec.py``, or says where it does not fit."""
    if is_dataclass(kind):
        return _read_dataclass(kind, value, where)
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{where} must be a list, got {value!r}.")
        inner = get_args(kind)[0]
        return tuple(_read(inner, entry, f"{where}[{i}]") for i, entry in enumerate(value))
    if get_origin(kind) in (Union, UnionType):
        inner = next(option for option in get_args(kind) if option is not type(None))
        return None if value is None else _read(inner, value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    plain = str if get_origin(kind) is Literal else kind
    if not isinstance(value, plain) or (isinstance(value, bool) and plain is not bool):
        hint = " Write numbers as 0.001, not 1e-3." if isinstance(value, str) else ""
        raise ConfigError(f"{where} must be a {plain.__name__}, got {value!r}.{hint}")
    return value


def _read_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must have named entries, got {value!r}.")
    if kind is SafetyLimits and "profile" in value:
        changes = {key: entry for key, entry in value.items() if key != "profile"}
        return limits_from(str(value["profile"]), changes)
    hints = get_type_hints(kind)
    for key in value:
        if key not in hints:
            raise UnknownNameError(f"entry of {where}", str(key), hints)
    read = {key: _read(hints[key], value[key], f"{where}: {key}") for key in value}
    needed = [
        entry.name
        for entry in fields(kind)
        if entry.default is MISSING and entry.default_factory is MISSING
    ]
    missing = [name for name in needed if name not in read]
    if missing:
        raise ConfigError(f"{where} lacks {', '.join(missing)}.")
    return kind(**read)
