"""Named protocols: everything but the policy that a success rate depends on, with a hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal

from tinyvla_gym.errors import ConfigError, UnknownNameError

EVALUATION_SEED = 1_000_000
"""Evaluation seeds begin here; nothing trained may ever have seen one."""

INSTRUCTIONS = ("default", "train", "heldout", "blank", "file")
"""Which sentences a policy is told; ``blank`` is none, ``file`` those of ``sentences``."""

FLAGS = ("episodes", "seed", "horizon", "instructions", "execute", "delay", "randomize")
"""What the command line can change; the rest takes a line of Python, on purpose."""

_NO_CONDITION = ("suite", "name", "parallel")  # what no success rate depends on, given its task


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """The conditions under which a policy plays. The defaults are the protocol ``native``.

    A protocol keeps its name only as long as nothing that it fixes is changed: see ``title``.

    Attributes:
        suite: See ``suite_tasks``.
        name: The protocol that this is, or from which it departs.
        track: ``proprio``, pixels and proprioception and a sentence, or ``privileged``, which
            also shows where the object is.
        cameras: Camera to edge of its square picture [px], upright and unmirrored; the policy's
            own if None.
        crop_frac: The middle part of each picture's edges that is kept.
        picture_px: Edge to which the rest is then resized, bilinearly; not at all if None.
        profile: How pictures are drawn; the policy's own if None.
        goal_marker: Whether the goal's coloured ball is to be seen.
        randomize: How pictures are changed from episode to episode; not at all if None.
        state_entries: So many of MetaWorld's own 39 numbers are the state; the env's
            proprioception if None.
        settle: Control ticks of standing still, unseen and uncounted, before the policy's first.
        horizon: Control ticks per episode; the env's own if None, 500 for MetaWorld.
        terminate_on_success: Whether the first success ends the episode; it counts either way.
        instructions: One of ``INSTRUCTIONS``.
        sentences: Task to sentence, for ``instructions="file"``.
        episodes: Per task.
        seed: The first episode's; the others follow.
        average: What is printed first, ``tier`` or ``task``.
        judge: Who says whether an episode succeeded, the ``env`` or a ``person``.
        execute: Actions per chunk; the policy's own choice if None.
        delay: Control ticks from a look to the first action of its plan.
        parallel: Envs per process whose plans share a batch; the batch is always filled up.
    """

    suite: str
    name: str = "native"
    track: Literal["proprio", "privileged"] = "proprio"
    cameras: Mapping[str, int] | None = None
    crop_frac: float = 1.0
    picture_px: int | None = None
    profile: str | None = None
    goal_marker: bool = True
    randomize: str | None = None
    state_entries: int | None = None
    settle: int = 0
    horizon: int | None = None
    terminate_on_success: bool = True
    instructions: str = "default"
    sentences: Mapping[str, str] = field(default_factory=dict)
    episodes: int = 50
    seed: int = EVALUATION_SEED
    average: Literal["tier", "task"] = "tier"
    judge: Literal["env", "person"] = "env"
    execute: int | None = None
    delay: int = 0
    parallel: int = 10

    def __post_init__(self) -> None:
        lowest = {"episodes": 1, "seed": 0, "horizon": 1, "execute": 1, "delay": 0, "parallel": 1}
        for name, least in lowest.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"{name} must be at least {least}, got {value}.")
        if self.instructions not in INSTRUCTIONS:
            raise UnknownNameError("set of sentences", self.instructions, INSTRUCTIONS)
        if self.name not in _SETTINGS:
            raise UnknownNameError("protocol", self.name, _SETTINGS)

    @cached_property
    def changes(self) -> dict[str, tuple[Any, Any]]:
        """What departs from the named protocol: setting -> (the protocol's, this one's)."""
        pure = Protocol(suite=self.suite, name=self.name, **_SETTINGS[self.name])
        told = ("sentences",) if self.instructions == pure.instructions == "file" else ()
        return {
            entry.name: (getattr(pure, entry.name), getattr(self, entry.name))
            for entry in fields(self)
            if entry.name not in (*_NO_CONDITION, *told)
            and getattr(pure, entry.name) != getattr(self, entry.name)
        }

    @property
    def title(self) -> str:
        """The name, and whatever departs from it: ``native, changed: episodes 10``."""
        if not self.changes:
            return self.name
        listed = (f"{name} {_short(now)}" for name, (_, now) in self.changes.items())
        return f"{self.name}, changed: {', '.join(listed)}"

    @property
    def flags(self) -> str:
        """What to add to ``tinyvla-gym evaluate`` to play under these conditions."""
        given = {name: self.changes[name][1] for name in FLAGS if name in self.changes}
        words = [f"--suite {self.suite}", f"--protocol {self.name}"]
        words += [f"--{name} {value}" for name, value in given.items()]
        words += [f"--parallel {self.parallel}"]
        words += ["--sentences FILE"] * (self.instructions == "file")
        return " ".join(words)

    @cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits that change with every condition, not with the suite."""
        plain = asdict(Protocol(suite=self.suite))
        conditions = {  # a condition that a later release adds leaves old hashes as they are
            name: value
            for name, value in asdict(self).items()
            if name not in _NO_CONDITION and value != plain[name]
        }
        text = json.dumps(conditions, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain facts for JSON, title and hash among them."""
        return {**asdict(self), "title": self.title, "hash": self.hash}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Protocol":
        """Reads what ``to_dict`` wrote, also before protocols had names."""
        known = {entry.name for entry in fields(cls)}
        return cls(**{name: value for name, value in facts.items() if name in known})


# Facts of each protocol's own code, as far as it is public. Their seeds make other worlds than
# ours do, and would be training seeds here, so all of them are played on evaluation seeds.
_SETTINGS: dict[str, dict[str, Any]] = {
    "native": {},
    "lerobot": {  # LeRobot's MetaWorld env; its docs recommend ten episodes per task
        "cameras": {"corner2_moved": 480},
        "profile": "parity-1",
        "horizon": 500,
        "instructions": "file",
        "episodes": 10,
        "average": "task",
    },
    "evo1": {  # Evo-1's and starVLA's client; the state holds where the object is
        "track": "privileged",
        "cameras": {"corner2": 480},
        "crop_frac": 2 / 3,
        "picture_px": 448,
        "profile": "parity-1",
        "state_entries": 8,
        "settle": 1,
        "horizon": 400,
        "instructions": "file",
        "episodes": 10,
    },
    "rlinf": {  # RLinf's env and evaluation config; fifteen ticks of settling, and one more
        "cameras": {"corner2_moved": 480},
        "profile": "parity-1",
        "settle": 16,
        "horizon": 100,
        "instructions": "file",
        "episodes": 10,
    },
}

PROTOCOLS = tuple(_SETTINGS)


def named_protocol(name: str, *, suite: str, **changes: Any) -> Protocol:
    """Returns a protocol, with whatever is changed on purpose.

    Args:
        name: One of ``PROTOCOLS``.
        suite: See ``suite_tasks``.
        changes: Other settings; None leaves the protocol's own.

    Raises:
        UnknownNameError: If there is no such protocol.
        ConfigError: If a setting is impossible.
    """
    if name not in _SETTINGS:
        raise UnknownNameError("protocol", name, _SETTINGS)
    wanted = {key: value for key, value in changes.items() if value is not None}
    return replace(Protocol(suite=suite, name=name, **_SETTINGS[name]), **wanted)


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return "+".join(f"{name} {edge}" for name, edge in value.items())
    return f"{value:.3g}" if isinstance(value, float) else str(value)
