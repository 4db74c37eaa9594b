"""From other people's folders to ours: which importer, told by what the folder says of itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tinyvla_gym.errors import CheckpointError, ConfigError
from tinyvla_gym.interface import Interface
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig, build_backbone
from tinyvla_gym.policies.tinyvla.foreign import read_json
from tinyvla_gym.policies.tinyvla.hub_models import import_vlm
from tinyvla_gym.policies.tinyvla.llava_pythia.prompt import PromptForm
from tinyvla_gym.policies.tinyvla.pretrained import Pretrained, save_backbone
from tinyvla_gym.policies.tinyvla.released.importer import import_backbone, import_run

Sort = Literal["run", "base", "vlm"]
"""A run of the released code, a released base, or an image-text-to-text model of transformers."""


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What came out.

    Attributes:
        kind: ``policy`` or ``backbone``.
        weights: Number of weights.
    """

    kind: str
    weights: int


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a folder cannot say itself; see ``import_run``, ``import_backbone``, ``import_vlm``."""

    base: Path | None = None
    statistics: Path | None = None
    tokenizer: str | None = None
    prompt: PromptForm = "training"
    coarse_levels: bool = True
    pool_padding: bool = False
    keep_adapters: bool = False
    name: str | None = None
    side: int | None = None
    layers: int | None = None
    hidden: int = -1
    half: bool = False


def convert(source: Path, out: Path, wishes: Wishes, interface: Interface | None) -> Converted:
    """Converts a folder: a trained run to a policy, anything else to a backbone.

    Args:
        source: A released run, its ``checkpoint-N``, a released base, or an image-text-to-text
            model as transformers saves it.
        out: The new folder.
        wishes: What the source does not say.
        interface: What a run's data showed and did.

    Raises:
        CheckpointError: If a file is missing, damaged, or does not fit.
        ConfigError: If a run comes without an interface.
        OutputError: If ``out`` cannot be written.
    """
    sort = sort_of(source)
    if sort != "run":
        return _save(out, _backbone(source, sort, wishes), wishes)
    if interface is None:
        raise ConfigError(f"{source} is a trained run: say which cameras, state and action it has.")
    policy = import_run(
        source,
        interface,
        base=wishes.base,
        statistics=wishes.statistics,
        tokenizer=wishes.tokenizer,
        prompt=wishes.prompt,
        coarse_levels=wishes.coarse_levels,
        pool_padding=wishes.pool_padding,
        keep_adapters=wishes.keep_adapters,
        name=wishes.name,
    )
    policy.save_pretrained(out, half=wishes.half)
    return Converted(kind="policy", weights=policy.parameters)


def sort_of(source: Path) -> Sort:
    """Says what a folder holds, by its own config.

    Raises:
        CheckpointError: If there is none, or it is damaged.
    """
    facts = _facts(source)
    if "action_head_type" in facts:
        return "run"
    return "base" if facts.get("model_type") == "llava_pythia" else "vlm"


def _backbone(source: Path, sort: Sort, wishes: Wishes) -> Pretrained:
    if sort == "base":
        return import_backbone(source, tokenizer=wishes.tokenizer)
    return import_vlm(
        source,
        side=wishes.side,
        layers=wishes.layers,
        hidden=wishes.hidden,
        tokenizer=wishes.tokenizer,
    )


def _save(out: Path, found: Pretrained, wishes: Wishes) -> Converted:
    backbone = build_backbone(found.within(TinyVLAConfig()), 1)
    found.load_into(backbone)
    save_backbone(out, found.name, found.options, backbone.half() if wishes.half else backbone)
    return Converted(kind="backbone", weights=sum(w.numel() for w in found.weights.values()))


def _facts(source: Path) -> dict[str, object]:
    """A checkpoint's config lies in the run around it, as the released code reads it."""
    for place in (source, source.parent):
        path = place / "config.json"
        if source.is_dir() and path.is_file():
            return read_json(path)
    problem = "it has no config.json." if source.is_dir() else "there is no such folder."
    raise CheckpointError(source, problem)
