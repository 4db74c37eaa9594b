"""From the authors' folders to ours: a base becomes a backbone, a trained run a policy.

Strict: every weight that our model has comes from their files, and every weight in their files
has a place in ours, save the language head and constant buffers.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from tinyvla_gym.errors import CheckpointError
from tinyvla_gym.interface import Interface
from tinyvla_gym.policies.policy import PolicySpec
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig, build, build_backbone
from tinyvla_gym.policies.tinyvla.foreign import PREPROCESSOR, TOGETHER, vocabulary_file
from tinyvla_gym.policies.tinyvla.llava_pythia.prompt import PromptForm
from tinyvla_gym.policies.tinyvla.model import TinyVLA
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.policies.tinyvla.pretrained import Pretrained
from tinyvla_gym.policies.tinyvla.released.adapters import (
    SETTINGS,
    Adapters,
    read_adapters,
    refuse_strays,
)
from tinyvla_gym.policies.tinyvla.released.names import renamed
from tinyvla_gym.policies.tinyvla.released.settings import (
    backbone_options,
    read_settings,
    run_config,
)
from tinyvla_gym.policies.tinyvla.released.statistics import released_normalizer
from tinyvla_gym.policies.tinyvla.released.weights import read_weights, weights_file
from tinyvla_gym.policies.tinyvla.saving import load_adapted
from tinyvla_gym.policies.tinyvla.strict import check_weights

WHOLE, STATISTICS = ("model", "pytorch_model"), "dataset_stats.pkl"
PARTS = ("non_lora_trainables", *WHOLE)
_PART = "backbone."


def import_backbone(folder: Path, *, tokenizer: str | None = None) -> Pretrained:
    """Reads a base VLM such as Llava-Pythia-400M.

    Args:
        folder: Holds ``config.json``, the weights, and the vocabulary.
        tokenizer: A ``tokenizer.json`` from elsewhere, or ``bytes`` for none.

    Raises:
        CheckpointError: If a file is missing, damaged, or does not fit.
    """
    settings = read_settings(folder)
    options = backbone_options(folder, settings, vocabulary_file(tokenizer, folder))
    weights = {name.removeprefix(_PART): tensor for name, tensor in _whole_weights(folder).items()}
    config = TinyVLAConfig(backbone="llava_pythia", backbone_options=options)
    wanted = build_backbone(config, 1).state_dict()
    check_weights(weights_file(folder, *WHOLE) or folder, weights, wanted, remedy=TOGETHER)
    return Pretrained(name="llava_pythia", options=options, weights=weights, source=str(folder))


def import_run(
    folder: Path,
    interface: Interface,
    *,
    base: Path | None = None,
    statistics: Path | None = None,
    tokenizer: str | None = None,
    prompt: PromptForm = "training",
    coarse_levels: bool = True,
    pool_padding: bool = False,
    keep_adapters: bool = False,
    name: str | None = None,
) -> TinyVLAPolicy:
    """Reads a policy that the released code has trained.

    Args:
        folder: A run's folder, its ``checkpoint-N``, or a merged policy's; what a checkpoint does
            not hold is read from the run around it, as the released code does.
        interface: What the training data showed and did; no released file says it.
        base: The VLM that the run began from, where the run does not hold all its weights.
        statistics: Another ``dataset_stats.pkl`` than the run's.
        tokenizer: A ``tokenizer.json`` from elsewhere, or ``bytes`` for none.
        prompt: ``training`` is what the run has learned from, ``evaluation`` what the released
            evaluation asks.
        coarse_levels: Embeds noise levels in bfloat16, as the run did.
        pool_padding: Counts padding as tokens, as the run did. The released evaluation plans one
            sentence at a time, so that there is no padding and both agree.
        keep_adapters: Leaves the adapters beside the weights instead of adding them in.
        name: What messages call the policy; the folder's name when None.

    Raises:
        CheckpointError: If a file is missing, damaged, or does not fit.
    """
    around = folder if (folder / "config.json").is_file() else folder.parent
    settings = read_settings(around)
    normalizer = released_normalizer(statistics or around / STATISTICS, interface)
    places = [place for place in (folder, around, base) if place is not None]
    options = {
        **backbone_options(
            _with_preprocessor(places), settings, vocabulary_file(tokenizer, *places)
        ),
        "prompt": prompt,
        "pool_padding": pool_padding,
    }
    weights, adapters = _run_weights(folder, base)
    config = run_config(around, settings, options, weights)
    config = replace(config, coarse_levels=coarse_levels)
    _check_sizes(around, settings, interface)
    model = build(config, interface)
    if keep_adapters:
        _keep(folder, model, weights, adapters)
    else:
        advice = (
            f"Are {around} and {base} a run and the base that it began from?"
            if base
            else "If the run holds only a part of the weights, name its base."
        )
        whole = weights if adapters is None else adapters.merged(weights)
        file = weights_file(folder, *PARTS) or folder
        check_weights(file, whole, model.state_dict(), remedy=advice)
        model.load_state_dict(whole)
    spec = PolicySpec(
        name=name or folder.resolve().name,
        interface=interface,
        horizon=config.horizon,
        execute=config.execute,
        env_options={"cameras": {c.name: [c.height, c.width] for c in interface.cameras}},
        noise_shape=config.noise_shape(interface),
    )
    return TinyVLAPolicy(model, config, spec, normalizer, facts={"imported": str(folder)})


def _run_weights(folder: Path, base: Path | None) -> tuple[dict[str, Tensor], Adapters | None]:
    """Base, then what the run says itself; and what its adapters add, if it has any."""
    held = read_weights(folder, *PARTS)
    weights = {**(_whole_weights(base) if base is not None else {}), **renamed(held)}
    adapters = read_adapters(folder, weights)
    refuse_strays(folder, held, adapters.pairs if adapters is not None else ())
    return weights, adapters


def _whole_weights(folder: Path) -> dict[str, Tensor]:
    """Reads the weights of a base, which has no adapters."""
    held = read_weights(folder, *WHOLE)
    refuse_strays(folder, held)
    return renamed(held)


def _keep(
    folder: Path, model: TinyVLA, weights: dict[str, Tensor], adapters: Adapters | None
) -> None:
    """Loads a run's weights, and its adapters beside them."""
    if adapters is None:
        raise CheckpointError(
            folder, f"it has no {SETTINGS}: there are no adapters to keep. Convert it without."
        )
    load_adapted(folder, model, adapters.beside(weights), adapters.facts(_PART))


def _check_sizes(folder: Path, settings: dict[str, Any], interface: Interface) -> None:
    for key, entries in (("action_dim", interface.action), ("state_dim", interface.state)):
        said = settings.get(key, len(entries))
        if said != len(entries):
            raise CheckpointError(
                folder,
                f"config.json has {key}={said}, the interface has {len(entries)} entries: "
                f"{', '.join(entries)}. Name the interface that the data had.",
            )


def _with_preprocessor(places: list[Path]) -> Path:
    return next((p for p in places if (p / PREPROCESSOR).is_file()), places[0])
