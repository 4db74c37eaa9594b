"""The numbers that define a TinyVLA model, and how to build it from them."""

import importlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tinyvla_gym.errors import ChunkLengthError, ConfigError, TinyVLAError, UnknownNameError
from tinyvla_gym.interface import Interface
from tinyvla_gym.look import Look, look_of
from tinyvla_gym.policies.policy import PolicySpec
from tinyvla_gym.policies.tinyvla.heads.act import ActHead
from tinyvla_gym.policies.tinyvla.heads.diffusion import DiffusionHead
from tinyvla_gym.policies.tinyvla.heads.flow import FlowHead
from tinyvla_gym.policies.tinyvla.heads.head import Head, check_multiple
from tinyvla_gym.policies.tinyvla.heads.one_step import OneStepHead
from tinyvla_gym.policies.tinyvla.heads.regression import RegressionHead
from tinyvla_gym.policies.tinyvla.heads.tokens import TokensHead
from tinyvla_gym.policies.tinyvla.model import TinyVLA

BACKBONES = {
    "film_resnet": "tinyvla_gym.policies.tinyvla.film_resnet:FilmResNet",
    "llava_pythia": "tinyvla_gym.policies.tinyvla.llava_pythia.backbone:LlavaPythia",
    "nano": "tinyvla_gym.policies.tinyvla.nano:NanoBackbone",
    "pretrained_nano": "tinyvla_gym.policies.tinyvla.pretrained_nano.backbone:PretrainedNano",
    "vlm": "tinyvla_gym.policies.tinyvla.vlm:VlmBackbone",
}
"""A backbone's name -> its class, as ``module:Class``: transformers is loaded where needed."""
HEADS: dict[str, type[Head]] = {
    "act": ActHead,
    "diffusion": DiffusionHead,
    "flow": FlowHead,
    "one_step": OneStepHead,
    "regression": RegressionHead,
    "tokens": TokensHead,
}
LATER = {"head": "diffusion", "head_options": {}, "coarse_levels": False}
"""Keys that the first checkpoints lack, and what they meant by it."""


@dataclass(frozen=True, kw_only=True)
class TinyVLAConfig:
    """One model; saved in the checkpoint's ``config.json``."""

    backbone: str = "nano"
    """``llava_pythia`` is the released one, ``vlm`` any other of transformers; ``pretrained_nano``
    has pretrained eyes and a pretrained reader, ``nano`` and ``film_resnet`` nothing pretrained."""
    backbone_options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the backbone."""
    head: str = "diffusion"
    """Which head; diffusion, flow and one_step are built around the U-Net."""
    head_options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the head that have no field here."""
    horizon: int = 16
    """Actions in one chunk, K; a multiple of 4 for heads with a U-Net."""
    execute: int = 8
    """Actions to play before planning again."""
    widths: tuple[int, int, int] = (64, 96, 160)
    """Channels of the U-Net's levels; (256, 512, 1024) in the released code."""
    step_size: int = 64
    """Width of the noise level's embedding; 256 in the released code."""
    coarse_levels: bool = False
    """Embeds noise levels in bfloat16, as the released code does."""
    kernel: int = 5
    """Width of the U-Net's convolutions [actions]."""
    groups: int = 8
    """Groups of the U-Net's norms."""
    fusion_layers: int = 3
    """Linear layers that join features and state; 1 in the released code, 3 in the paper."""
    train_steps: int = 100
    """Noise levels of the diffusion head in training."""
    sample_steps: int = 10
    """DDIM or Euler steps of one plan."""

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            raise UnknownNameError("backbone", self.backbone, BACKBONES)
        if self.head not in HEADS:
            raise UnknownNameError("head", self.head, HEADS)
        check_multiple(HEADS[self.head], self.horizon)
        if not 1 <= self.execute <= self.horizon:
            raise ChunkLengthError(self.execute, self.horizon)
        if self.fusion_layers < 1:
            raise ConfigError(f"fusion_layers must be at least 1, got {self.fusion_layers}.")
        if not 1 <= self.sample_steps <= self.train_steps:
            raise ConfigError(
                f"sample_steps={self.sample_steps} must be from 1 to "
                f"train_steps={self.train_steps}."
            )
        if any(width % self.groups for width in self.widths):
            raise ConfigError(f"widths {self.widths} must be multiples of groups={self.groups}.")
        if self.kernel % 2 == 0 or self.step_size % 2 or self.step_size < 4:
            raise ConfigError(
                f"kernel={self.kernel} must be odd and step_size={self.step_size} even, at least 4."
            )

    @property
    def look(self) -> Look | None:
        """What the backbone makes of large pictures before it looks; None if nothing."""
        return look_of(self.backbone_options)

    def noise_shape(self, interface: Interface) -> tuple[int, int] | None:
        """Shape of the noise that one plan consumes, (K, A); None if plans do not vary."""
        return (self.horizon, len(interface.action)) if HEADS[self.head].plans_vary else None

    def to_dict(self) -> dict[str, Any]:
        """Returns plain lists, numbers and strings, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "TinyVLAConfig":
        """Reads what ``to_dict`` wrote, also after JSON turned tuples into lists.

        Raises:
            ConfigError: If a key is missing or unknown.
        """
        facts = {**LATER, **facts}
        wanted = {entry.name for entry in fields(cls)}
        if set(facts) != wanted:
            raise ConfigError(
                "The model's config does not fit this version; "
                f"missing: {', '.join(sorted(wanted - set(facts))) or 'none'}; "
                f"unknown: {', '.join(sorted(set(facts) - wanted)) or 'none'}."
            )
        options = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in facts["backbone_options"].items()
        }
        typed = {
            "widths": tuple(facts["widths"]),
            "backbone_options": options,
            "head_options": dict(facts["head_options"]),
        }
        return cls(**{**facts, **typed})


def build_backbone(config: TinyVLAConfig, cameras: int) -> Any:
    """Builds a ``Backbone`` with fresh weights.

    Raises:
        ConfigError: If it does not know its options.
    """
    module, name = BACKBONES[config.backbone].split(":")
    make = getattr(importlib.import_module(module), name)
    try:
        return make(cameras, **config.backbone_options)
    except TinyVLAError:  # a sentence already
        raise
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"The options {config.backbone_options} do not fit {config.backbone}: {error}"
        ) from error


def build(config: TinyVLAConfig, interface: Interface) -> TinyVLA:
    """Builds the model for an interface, with fresh weights from torch's generator.

    Raises:
        ConfigError: If the backbone or the head does not know its options, or a camera's
            picture cannot be reduced as they say.
    """
    backbone = build_backbone(config, len(interface.cameras))
    if config.look is not None:
        for camera in interface.cameras:
            config.look.factor(camera.height, camera.width)
    try:
        head = HEADS[config.head].from_config(config, len(interface.action), backbone.width)
    except (AssertionError, RuntimeError, TypeError) as error:
        raise ConfigError(
            f"The options {config.head_options} do not fit {config.head}: {error}"
        ) from error
    return TinyVLA(
        backbone, head, state_size=len(interface.state), fusion_layers=config.fusion_layers
    )


def check_chunks(config: TinyVLAConfig, spec: PolicySpec) -> None:
    """Refuses a spec that promises other chunks than the model makes.

    Raises:
        ConfigError: It names both shapes.
    """
    made = (config.horizon, len(spec.interface.action))
    noise = config.noise_shape(spec.interface)
    if spec.horizon != made[0]:
        promised = (spec.horizon, made[1])
        raise ConfigError(f"The model makes chunks {made}, the spec's horizon says {promised}.")
    if spec.noise_shape != noise:
        raise ConfigError(
            f"The model makes chunks {made} from noise {noise}, "
            f"the spec's noise_shape says {spec.noise_shape}."
        )
