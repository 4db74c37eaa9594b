"""A first mapping for a source: every camera, every number, under the names that it has."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from tinyvla_gym.data.importing.mapping import NEVER, ColumnMapping, Entry, View
from tinyvla_gym.data.importing.source import Column, Source
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.interface import Interface

STATES = ("observation.state", "observations/pose", "observations/qpos", "state")
ACTIONS = ("action", "actions")
REWARDS = ("next.reward", "reward", "rewards")
SUCCESSES = ("next.success", "success", "infos/success")
SENT_ACTION = "infos/sent_action"
_BOOKKEEPING = {"timestamp", "frame_index", "episode_index", "index", "task_index"}


def guess_mapping(source: Source, *, control_hz: float | None = None) -> ColumnMapping:
    """Proposes a mapping; save it, correct it, and import with it.

    All pictures become cameras, the columns that formats call state and action become state and
    action, and bounds are those of the data. Whether an episode succeeded is not guessed.

    Args:
        source: The foreign data; its numbers are all read.
        control_hz: Ticks per second, where the data does not say so.

    Raises:
        ConfigError: If there is no action, no state, or no rate.
    """
    hz = control_hz or source.fps
    if not hz:
        raise ConfigError("The data does not say how many ticks there are per second; do so.")
    columns = source.columns
    actions = [name for name in ACTIONS if name in columns]
    if not actions:
        raise ConfigError(f"The data has no action; it has {', '.join(sorted(columns))}.")
    states = [name for name in STATES if name in columns][:1] or _loose_states(source)
    if not states:
        raise ConfigError(f"The data has no state; it has {', '.join(sorted(columns))}.")
    ranges = _ranges(source, [*states, actions[0]])
    action = tuple(_entries(actions[0], columns[actions[0]], ranges))
    is_pose = states == ["observations/pose"]
    guessed = ColumnMapping(
        control_hz=float(hz),
        action_mode="ee" if is_pose else "native",
        cameras=_views(columns.items()),
        state=tuple(entry for name in states for entry in _entries(name, columns[name], ranges)),
        action=action,
        reward=next((name for name in REWARDS if name in columns), None),
        success=next((name for name in SUCCESSES if name in columns), NEVER),
    )
    return _own(guessed, source, source.facts.interface) if source.facts else guessed


def remarks(source: Source, mapping: ColumnMapping) -> list[str]:
    """Says what of a source does not reach the dataset, or is not known."""
    unread = sorted(set(source.columns) - mapping.columns - _BOOKKEEPING)
    told = [f"not read: {', '.join(unread)}"] if unread else []
    for name, view in mapping.cameras.items():
        shape = source.columns[view.column].shape[:2]
        if shape != (view.height, view.width):
            told.append(f"camera {name} is resized from {shape[0]} x {shape[1]} px")
    if mapping.success == NEVER:
        told.append(
            "nobody says which episodes succeeded, so none counts as solved; if all did, set "
            '"success": "last" in the mapping'
        )
    return told


def _own(guessed: ColumnMapping, source: Source, interface: Interface) -> ColumnMapping:
    """Gives data that this package exported its names and bounds back."""
    sent = tuple(
        Entry(name=name, column=SENT_ACTION, place=place, low=low, high=high)
        for place, (name, low, high) in enumerate(
            zip(interface.action, interface.action_low, interface.action_high, strict=True)
        )
    )
    return replace(
        guessed,
        control_hz=interface.control_hz,
        action_mode=interface.action_mode,
        cameras={
            camera.name: next(
                view for name, view in guessed.cameras.items() if name.endswith(camera.name)
            )
            for camera in interface.cameras
        },
        state=_named(guessed.state, interface.state, interface.state_low, interface.state_high),
        action=_named(
            guessed.action, interface.action, interface.action_low, interface.action_high
        ),
        sent_action=sent if SENT_ACTION in source.columns else (),
    )


def _named(
    entries: Sequence[Entry], names: Sequence[str], low: Sequence[float], high: Sequence[float]
) -> tuple[Entry, ...]:
    return tuple(
        replace(entry, name=name, low=smallest, high=largest)
        for entry, name, smallest, largest in zip(entries, names, low, high, strict=True)
    )


def _views(columns: Iterable[tuple[str, Column]]) -> dict[str, View]:
    return {
        _camera_name(name): View(column=name, height=column.shape[0], width=column.shape[1])
        for name, column in columns
        if column.is_picture
    }


def _camera_name(column: str) -> str:
    """The last word of a column's name, as an identifier."""
    word = re.sub(r"\W", "_", re.split(r"[./]", column)[-1])
    return word if word.isidentifier() else f"camera_{word}"


def _loose_states(source: Source) -> list[str]:
    """Numbers that are observed, where no single column is called the state."""
    return [
        name
        for name, column in source.columns.items()
        if name.startswith(("obs/", "observation.")) and not column.is_picture
    ]


def _entries(name: str, column: Column, ranges: dict[str, np.ndarray]) -> list[Entry]:
    leaf = re.split(r"[./]", name)[-1]
    width = column.width
    fitting = column.names and len(column.names) == width
    names = column.names if fitting else tuple(f"{leaf}_{place}" for place in range(width))
    return [
        Entry(
            name=str(one),
            column=name,
            place=place,
            low=float(ranges[name][0, place]),
            high=float(ranges[name][1, place]),
        )
        for place, one in enumerate(names or ())
    ]


def _ranges(source: Source, names: list[str]) -> dict[str, np.ndarray]:
    """Smallest and largest value of every entry, shape (2, width) per column."""
    found: dict[str, np.ndarray] = {}
    for index in range(len(source)):
        columns = source.read(index, names).columns
        for name in names:
            values = columns[name].reshape(len(columns[name]), -1)
            here = np.stack([values.min(axis=0), values.max(axis=0)]).astype(float)
            before = found.get(name, here)
            found[name] = np.stack([np.minimum(before[0], here[0]), np.maximum(before[1], here[1])])
    return found
