"""How pictures are kept: as they are, or as film."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.interface import Camera

Codec = Literal["h264", "av1"]

LOSSLESS_PX = 160
"""Larger cameras become video; lossy coding would erase what is three pixels wide."""

ENCODERS: dict[str, str] = {"h264": "libx264", "av1": "libsvtav1"}


@dataclass(frozen=True, kw_only=True)
class Coding:
    """How the pictures of a dataset are kept.

    Attributes:
        lossless_px: Cameras up to this height and width are kept as PNG, larger ones as film.
        codec: H.264, which every player and browser shows, or AV1, which is LeRobot's default.
        crf: The encoder's quality; smaller is better. 18 is hard to tell from the original.
        key_every: Frames from one key frame to the next; few make random access fast.
    """

    lossless_px: int = LOSSLESS_PX
    codec: Codec = "h264"
    crf: int = 18
    key_every: int = 2

    def __post_init__(self) -> None:
        if self.codec not in ENCODERS:
            raise ConfigError(f"The codec must be h264 or av1, got {self.codec!r}.")
        for name, low, high in (("lossless_px", 0, 2**16), ("crf", 0, 63), ("key_every", 1, 1000)):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(
                    f"{name} must be from {low} to {high}, got {getattr(self, name)}."
                )

    def is_lossless(self, camera: Camera) -> bool:
        """Whether a camera is kept as PNG in the data file rather than as film."""
        return max(camera.height, camera.width) <= self.lossless_px

    def to_dict(self) -> dict[str, Any]:
        """Returns plain numbers and strings, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Coding":
        """Reads what ``to_dict`` wrote."""
        return cls(**facts)
