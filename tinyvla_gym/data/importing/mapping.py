"""The mapping: which column of a foreign dataset is which part of our interface.

A mapping is a JSON file that a user can edit; ``docs/data.md`` explains every key.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tinyvla_gym.data.atomic import save_json
from tinyvla_gym.data.episode import Episode
from tinyvla_gym.data.importing.source import RawEpisode, Source
from tinyvla_gym.data.lerobot.damage import read_json
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.interface import INSTRUCTION_LENGTH, ActionMode, Camera, Interface

LAST, NEVER = "last", "never"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of state or action: ``scale * column[place] + offset``.

    Attributes:
        name: What we call it, unit last.
        column: The foreign column.
        place: Which of the column's entries, counted from 0.
        scale: Factor, such as 0.001 from mm to m.
        offset: What is added afterwards.
        low: Smallest value, in our unit.
        high: Largest value, in our unit.
    """

    name: str
    column: str
    place: int
    scale: float = 1.0
    offset: float = 0.0
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class View:
    """One camera: a foreign column, resized to (height, width) [px] if it differs."""

    column: str
    height: int
    width: int


@dataclass(frozen=True, kw_only=True)
class ColumnMapping:
    """How a foreign dataset becomes episodes of an interface of ours.

    Attributes:
        control_hz: Ticks per second.
        action_mode: native or ee.
        cameras: Our name of a camera to the column that shows it.
        state: The state's entries, in order.
        action: The action's entries, in order: what training should imitate.
        sent_action: What reached the robot; the action itself if not given.
        reward: Column of rewards; 0 everywhere if not given.
        success: Column of success; or ``last``: each episode's last tick solves its task; or
            ``never``.
        instruction: The sentence of every episode, where the data has none of its own.
        source: Who acted: expert, human, policy, or mixed if unknown.
    """

    control_hz: float
    action_mode: ActionMode = "native"
    cameras: dict[str, View]
    state: tuple[Entry, ...]
    action: tuple[Entry, ...]
    sent_action: tuple[Entry, ...] = ()
    reward: str | None = None
    success: str = NEVER
    instruction: str = ""
    source: str = "mixed"

    @property
    def interface(self) -> Interface:
        """The interface of the episodes."""
        return Interface(
            cameras=tuple(
                Camera(name=name, height=view.height, width=view.width)
                for name, view in self.cameras.items()
            ),
            state=tuple(entry.name for entry in self.state),
            state_low=tuple(entry.low for entry in self.state),
            state_high=tuple(entry.high for entry in self.state),
            action=tuple(entry.name for entry in self.action),
            action_low=tuple(entry.low for entry in self.action),
            action_high=tuple(entry.high for entry in self.action),
            control_hz=self.control_hz,
            action_mode=self.action_mode,
        )

    @property
    def columns(self) -> set[str]:
        """The foreign columns that it reads."""
        entries = {entry.column for entry in (*self.state, *self.action, *self.sent_action)}
        views = {view.column for view in self.cameras.values()}
        single = {self.reward, self.success} - {None, LAST, NEVER}
        return entries | views | {name for name in single if name}

    def check(self, source: Source) -> None:
        """Makes sure that a source has what the mapping reads.

        Raises:
            ConfigError: If a column or an entry does not exist, or a camera is none.
        """
        missing = sorted(self.columns - set(source.columns))
        if missing:
            raise ConfigError(
                f"The mapping reads {', '.join(missing)}, and the data has "
                f"{', '.join(sorted(source.columns))}."
            )
        for entry in (*self.state, *self.action, *self.sent_action):
            width = source.columns[entry.column].width
            if not 0 <= entry.place < width:
                raise ConfigError(
                    f"{entry.name} is place {entry.place} of {entry.column}, which has {width}."
                )
        for name, view in self.cameras.items():
            if not source.columns[view.column].is_picture:
                raise ConfigError(f"Camera {name} is {view.column}, which has no pictures.")
        if self.sent_action and len(self.sent_action) != len(self.action):
            raise ConfigError("sent_action must have as many entries as action.")

    def episode(self, raw: RawEpisode, number: int) -> Episode:
        """Makes one episode.

        Args:
            raw: What the source has read.
            number: Takes the place of the seed if that is unknown.

        Raises:
            ConfigError: If it has no sentence, or values that are not finite.
        """
        sentence = plain_sentence(raw.instruction or self.instruction)
        if not sentence:
            raise ConfigError(
                f"Episode {number} has no sentence; give one as the mapping's instruction."
            )
        action = _vector(raw, self.action)
        return Episode(
            images={
                name: _resized(raw.columns[view.column], view)
                for name, view in self.cameras.items()
            },
            state=_vector(raw, self.state),
            action=action,
            sent_action=_vector(raw, self.sent_action) if self.sent_action else action,
            reward=self._reward(raw, len(action)),
            success=self._success(raw, len(action)),
            instruction=sentence,
            seed=number if raw.seed is None else raw.seed,
            task=raw.task,
            source=raw.source or self.source,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain lists, numbers and strings, for JSON."""
        return asdict(self)

    def save(self, path: Path) -> None:
        """Writes the JSON file.

        Raises:
            OutputError: If it cannot be written.
        """
        save_json(path, self.to_dict())

    @classmethod
    def load(cls, path: Path) -> "ColumnMapping":
        """Reads a JSON file.

        Raises:
            DatasetError: If the file is missing or no JSON object.
            ConfigError: If a key is missing or unknown.
        """
        return cls.from_dict(read_json(path))

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "ColumnMapping":
        """Reads plain facts.

        Raises:
            ConfigError: If a key is missing or unknown.
        """
        try:
            entries = {
                name: tuple(Entry(**entry) for entry in facts.get(name, ()))
                for name in ("state", "action", "sent_action")
            }
            cameras = {name: View(**view) for name, view in facts["cameras"].items()}
            return cls(**{**facts, **entries, "cameras": cameras})
        except (TypeError, KeyError, AttributeError) as problem:
            raise ConfigError(f"The mapping does not fit its format: {problem}.") from problem

    def _reward(self, raw: RawEpisode, ticks: int) -> NDArray[np.float32]:
        if self.reward is None:
            return np.zeros(ticks, np.float32)
        return raw.columns[self.reward].reshape(ticks).astype(np.float32)

    def _success(self, raw: RawEpisode, ticks: int) -> NDArray[np.bool_]:
        if self.success in (LAST, NEVER):
            return (np.arange(ticks) == ticks - 1) & (self.success == LAST)
        return raw.columns[self.success].reshape(ticks) > 0


def plain_sentence(words: str) -> str:
    """A sentence in printable ASCII on one line: accents fall, other characters go."""
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()
    return " ".join(plain.split())[:INSTRUCTION_LENGTH]


def _vector(raw: RawEpisode, entries: tuple[Entry, ...]) -> NDArray[np.float32]:
    """Picks and converts entries, shape (T, len(entries))."""
    picked = [
        entry.scale
        * raw.columns[entry.column].reshape(len(raw.columns[entry.column]), -1)[:, entry.place]
        + entry.offset
        for entry in entries
    ]
    return np.stack(picked, axis=1).astype(np.float32)


def _resized(images: NDArray[np.uint8], view: View) -> NDArray[np.uint8]:
    """Pictures of the wanted size, shape (T, H, W, 3)."""
    if images.shape[1:3] == (view.height, view.width):
        return images
    size = (view.width, view.height)
    shrunk = [Image.fromarray(one).resize(size, Image.Resampling.BOX) for one in images]
    return np.stack([np.asarray(one) for one in shrunk])
