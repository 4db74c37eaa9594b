"""A policy's folder: what is written, and how it is read back, to the last weight.

config.json         kind, model, spec, normaliser, facts; adapters and base where there are
model.safetensors   the weights that the base does not have
model.onnx          the plan as a graph that takes its weights from there, if it was exported
tokenizer.json      the vocabulary, if the backbone has one
README.md           the card, if it comes from the hub
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tinyvla_gym.errors import CheckpointError
from tinyvla_gym.policies.checkpoint import CARD, WEIGHTS, read_folder, weights_digest, write_folder
from tinyvla_gym.policies.hub import find_folder
from tinyvla_gym.policies.normalize import Normalizer
from tinyvla_gym.policies.policy import PolicySpec
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig, build, check_chunks
from tinyvla_gym.policies.tinyvla.model import TinyVLA
from tinyvla_gym.policies.tinyvla.pretrained import arrived, load_backbone, travelling
from tinyvla_gym.policies.tinyvla.strict import check_weights

if TYPE_CHECKING:
    from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy

KIND = "tinyvla"
TOGETHER = "Fetch or copy it again, together with its config.json."
_PART = "backbone."


def save(
    policy: "TinyVLAPolicy",
    folder: Path,
    *,
    half: bool = False,
    base: Path | str | None = None,
    words: str = "",
    finish: Callable[[Path], None] | None = None,
) -> None:
    """Writes a policy; see ``TinyVLAPolicy.save_pretrained``.

    Args:
        policy: What is written.
        folder: Where to.
        half: Rounds to float16.
        base: A backbone whose weights are not written again.
        words: The card.
        finish: Adds to the folder when the rest is in it.
    """
    options, texts = travelling(policy.config.backbone_options, policy.model.backbone)
    lora, weights = _adapters_and_weights(policy.model)
    config = {
        "kind": KIND,
        "model": replace(policy.config, backbone_options=options).to_dict(),
        "spec": policy.spec.to_dict(),
        "normalizer": policy.normalizer.to_dict(),
        "facts": policy.facts,
    }
    if lora is not None:
        config["lora"] = lora
    if base is not None:
        shared, config["base"] = _read_base(base)
        weights = {
            name: tensor
            for name, tensor in weights.items()
            if name not in shared or not torch.equal(tensor.cpu(), shared[name])
        }
    stored = {
        name: (tensor.half() if half and tensor.is_floating_point() else tensor).contiguous().cpu()
        for name, tensor in weights.items()
    }
    texts = {**texts, **({CARD: words} if words else {})}
    write_folder(folder, config, stored, texts, finish)


def load(folder: Path, base: Path | str | None = None) -> dict[str, Any]:
    """Reads a policy's parts, the arguments of ``TinyVLAPolicy``.

    Args:
        folder: What ``save`` wrote.
        base: Where the base lies, if not where it lay.

    Raises:
        CheckpointError: If a file is missing, cut short, or does not fit the others.
    """
    written, weights = read_folder(folder, kind=KIND)
    parts = _parts(folder, written)
    model: TinyVLA = parts["model"]
    if "base" in written or base is not None:
        shared, _ = _read_base(base, written.get("base"), folder)
        weights = {**shared, **weights}
    lora = written.get("lora")
    if lora is None:
        check_weights(folder / WEIGHTS, weights, model.state_dict(), remedy=TOGETHER)
        model.load_state_dict(weights)  # half precision becomes float32
    else:
        load_adapted(folder, model, weights, lora)
    return parts


def _parts(folder: Path, written: Mapping[str, Any]) -> dict[str, Any]:
    """Reads everything but the weights."""
    try:
        config = TinyVLAConfig.from_dict(written["model"])
        config = replace(config, backbone_options=arrived(config.backbone_options, folder))
        spec = PolicySpec.from_dict(written["spec"])
        normalizer = Normalizer.from_dict(
            written["normalizer"],
            state_names=spec.interface.state,
            action_names=spec.interface.action,
        )
        check_chunks(config, spec)
        model = build(config, spec.interface)
        facts = dict(written["facts"])
    except CheckpointError:  # a sentence about one of the files already
        raise
    except KeyError as error:
        raise CheckpointError(folder, f"config.json has no {error}.") from error
    except (ArithmeticError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(folder, f"config.json does not fit: {error}") from error
    return {
        "model": model,
        "config": config,
        "spec": spec,
        "normalizer": normalizer,
        "facts": facts,
    }


def _adapters_and_weights(model: TinyVLA) -> tuple[dict[str, Any] | None, dict[str, Tensor]]:
    if not hasattr(model.backbone, "peft_config"):  # peft takes seconds to load
        return None, model.state_dict()
    from tinyvla_gym.policies.tinyvla.lora import lora_facts, plain_weights

    return lora_facts(model), plain_weights(model)


def load_adapted(
    folder: Path, model: TinyVLA, weights: Mapping[str, Tensor], lora: Mapping[str, Any]
) -> None:
    """Puts adapters on a freshly built model and loads its weights and theirs.

    Args:
        folder: For messages.
        model: Changed in place.
        weights: By the names of ``lora.plain_weights``.
        lora: Arguments of ``lora.add_lora``.

    Raises:
        CheckpointError: If they do not fit.
    """
    from tinyvla_gym.policies.tinyvla.lora import add_lora, load_plain_weights, plain_weights

    try:
        add_lora(model, **lora)
    except (TypeError, ValueError) as error:
        raise CheckpointError(folder, f"config.json's adapters do not fit: {error}") from error
    check_weights(folder / WEIGHTS, weights, plain_weights(model), remedy=TOGETHER)
    load_plain_weights(model, weights)


def _read_base(
    given: Path | str | None, written: Mapping[str, Any] | None = None, folder: Path | None = None
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Reads a backbone, and checks that it is the one that a checkpoint was saved without.

    Args:
        given: Where it lies; where the checkpoint says when None.
        written: What the checkpoint says.
        folder: The checkpoint.

    Returns:
        Its weights by their names in the model, and what a checkpoint should say.
    """
    where = str(given if given is not None else (written or {}).get("where"))
    try:
        place = find_folder(where)
        weights = load_backbone(place).weights
    except CheckpointError as error:
        if folder is None:
            raise
        raise CheckpointError(
            folder, f"its backbone is not at {where}: {error}\nSay where it is: base=FOLDER."
        ) from error
    digest = weights_digest(place)
    wanted = (written or {}).get("sha256", digest)
    if digest != wanted:
        raise CheckpointError(
            folder or place,
            f"the backbone in {place} is another than the one it was saved without: "
            f"sha256 {digest[:12]} instead of {str(wanted)[:12]}.",
        )
    kept = str(place.resolve()) if Path(where).is_dir() else where
    return (
        {f"{_PART}{name}": tensor for name, tensor in weights.items()},
        {"where": kept, "sha256": digest},
    )
