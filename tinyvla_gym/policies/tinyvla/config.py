"""The numbers that define a TinyVLA model, and how to build it from them."""

import importlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tinyvla_gym.errors import ChunkLengthError, ConfigError, TinyVLAError, UnknownNameError
from tinyvla_gym.interface import Interface
from tinyvla_gym.policies.policy import PolicySpec
from tinyvla_gym.policies.tinyvla.denoiser import ConditionalUnet1D
from tinyvla_gym.policies.tinyvla.diffusion import DiffusionHead
from tinyvla_gym.policies.tinyvla.model import TinyVLA

BACKBONES = {
    "nano": "tinyvla_gym.policies.tinyvla.nano:NanoBackbone",
    "llava_pythia": "tinyvla_gym.policies.tinyvla.llava_pythia.backbone:LlavaPythia",
    "vlm": "tinyvla_gym.policies.tinyvla.vlm:VlmBackbone",
}
"""A backbone's name -> its class, as ``module:Class``: transformers is loaded where needed."""

ADDED_LATER = {"coarse_levels": False}
"""What the first checkpoints do not say, and how they mean it."""


@dataclass(frozen=True, kw_only=True)
class TinyVLAConfig:
    """One model; saved in the checkpoint's ``config.json``."""

    backbone: str = "nano"
    """``nano`` (no pretrained VLM), ``llava_pythia`` (the released one), or ``vlm`` (any other)."""
    backbone_options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the backbone."""
    horizon: int = 16
    """Actions in one chunk, K; a multiple of 4."""
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
    """Noise levels in training."""
    sample_steps: int = 10
    """DDIM steps of one plan."""

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            raise UnknownNameError("backbone", self.backbone, BACKBONES)
        if self.horizon % 4 or self.horizon < 4:
            raise ConfigError(
                f"horizon={self.horizon} must be a multiple of 4: the U-Net halves it twice."
            )
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

    def to_dict(self) -> dict[str, Any]:
        """Returns plain lists, numbers and strings, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "TinyVLAConfig":
        """Reads what ``to_dict`` wrote, also after JSON turned tuples into lists.

        Raises:
            ConfigError: If a key is missing or unknown.
        """
        facts = {**ADDED_LATER, **facts}
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
        typed = {"widths": tuple(facts["widths"]), "backbone_options": options}
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
        ConfigError: If a part does not know its options.
    """
    backbone = build_backbone(config, len(interface.cameras))
    denoiser = ConditionalUnet1D(
        len(interface.action),
        backbone.width,
        widths=config.widths,
        step_size=config.step_size,
        kernel=config.kernel,
        groups=config.groups,
        coarse_levels=config.coarse_levels,
    )
    head = DiffusionHead(denoiser, train_steps=config.train_steps, sample_steps=config.sample_steps)
    return TinyVLA(
        backbone, head, state_size=len(interface.state), fusion_layers=config.fusion_layers
    )


def check_chunks(config: TinyVLAConfig, spec: PolicySpec) -> None:
    """Refuses a spec that promises other chunks than the model makes.

    Raises:
        ConfigError: It names both shapes.
    """
    made = (config.horizon, len(spec.interface.action))
    promised = {"horizon": (spec.horizon, made[1]), "noise_shape": spec.noise_shape}
    for name, shape in promised.items():
        if shape != made:
            raise ConfigError(f"The model makes chunks {made}, the spec's {name} says {shape}.")
