"""What we know of a dataset beyond LeRobot's format: ``meta/tinyvla_gym.json``."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tinyvla_gym.data.atomic import save_json
from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.coding import Coding
from tinyvla_gym.data.lerobot.damage import read_json, reading
from tinyvla_gym.errors import DatasetError
from tinyvla_gym.interface import Interface

_UNITS = {
    "images": "uint8 RGB",
    "state and action": "the last word of each entry's name",
    "timestamp": "s",
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts that hold for every episode of a dataset.

    Attributes:
        interface: What the envs showed and accepted.
        profile: Name of the render profile; empty if there is none.
        profile_hash: Its hash; empty if there is none.
        robot_type: LeRobot's word for the body.
        env_ids: Gymnasium ids of the envs that were recorded, as far as known.
        coding: How pictures are kept.
        merged: In a finished dataset, staged episodes with smaller numbers are part of it.
    """

    interface: Interface
    profile: str
    profile_hash: str
    robot_type: str
    env_ids: tuple[str, ...]
    coding: Coding = field(default_factory=Coding)
    merged: int = 0

    def differences(self, other: "Facts") -> list[str]:
        """Says where ``other`` departs, save in the envs: those may join one by one."""
        plain = [
            f"{name}: {getattr(self, name)} against {getattr(other, name)}"
            for name in ("profile", "profile_hash", "robot_type", "coding")
            if getattr(self, name) != getattr(other, name)
        ]
        return self.interface.differences(other.interface) + plain

    def joined(self, env_ids: Iterable[str]) -> "Facts":
        """The same facts with further envs."""
        return replace(self, env_ids=tuple(dict.fromkeys((*self.env_ids, *env_ids))))

    def save(self, meta: Path) -> None:
        """Writes the facts into a folder ``meta``."""
        own = {one.name: getattr(self, one.name) for one in fields(self)}
        facts: dict[str, Any] = {
            "format_version": schema.FORMAT_VERSION,
            **own,
            "interface": self.interface.to_dict(),
            "coding": self.coding.to_dict(),
            "units": _UNITS,
        }
        save_json(meta / schema.FACTS.name, facts)

    @classmethod
    def load(cls, folder: Path) -> "Facts":
        """Reads the facts of a dataset.

        Raises:
            DatasetError: If the file is missing, damaged, or from a later version.
        """
        path = folder / schema.FACTS
        if not path.exists() and (folder / schema.INFO).exists():
            raise DatasetError(
                folder,
                f"{schema.FACTS} is missing, so nobody knows its interface. It was not recorded "
                "by tinyvla-gym: tinyvla-gym data import; or it was copied in part.",
            )
        return cls.read(path)

    @classmethod
    def read(cls, path: Path) -> "Facts":
        """Reads the file that ``save`` wrote.

        Raises:
            DatasetError: If it is missing, damaged, or from a later version.
        """
        folder, facts = path.parent.parent, read_json(path)
        with reading(path):
            version = facts["format_version"]
            if version != schema.FORMAT_VERSION:
                raise DatasetError(
                    folder,
                    f"its format version is {version}, and this release reads "
                    f"{schema.FORMAT_VERSION}. Install a newer tinyvla-gym.",
                )
            return cls(
                interface=Interface.from_dict(facts["interface"]),
                profile=facts["profile"],
                profile_hash=facts["profile_hash"],
                robot_type=facts["robot_type"],
                env_ids=tuple(facts["env_ids"]),
                # Early releases had neither a choice of coding nor episodes that join later.
                coding=Coding.from_dict(facts.get("coding", {})),
                merged=facts.get("merged", 0),
            )
