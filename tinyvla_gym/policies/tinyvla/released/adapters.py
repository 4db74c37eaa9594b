"""LoRA adapters of a released run: added into the weights that they adapt, or kept beside them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from tinyvla_gym.errors import CheckpointError
from tinyvla_gym.policies.tinyvla.foreign import read_json
from tinyvla_gym.policies.tinyvla.released.names import adapted_weight, is_adapter, our_name
from tinyvla_gym.policies.tinyvla.released.weights import read_weights

SETTINGS, STEM = "adapter_config.json", "adapter_model"
UNKNOWN_HERE = ("use_rslora", "use_dora", "fan_in_fan_out", "rank_pattern", "alpha_pattern")


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """What a run has learnt beside the weights of its base.

    Attributes:
        rank: r.
        alpha: Their scale is ``alpha / rank``.
        dropout: Share of their inputs that training dropped.
        pairs: Our name of each adapted weight (out, in) to A (r, in) and B (out, r).
    """

    rank: int
    alpha: float
    dropout: float
    pairs: dict[str, tuple[Tensor, Tensor]]

    def merged(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Adds ``alpha / r * B A`` to each weight that is adapted."""
        scale = self.alpha / self.rank
        sums = {
            name: weights[name] + (high @ low) * scale for name, (low, high) in self.pairs.items()
        }
        return {**weights, **sums}

    def beside(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Puts A and B beside the weights, by the names of ``lora.plain_weights``."""
        halves = {
            f"{name.removesuffix('.weight')}.lora_{letter}.weight": half
            for name, pair in self.pairs.items()
            for letter, half in zip("AB", pair, strict=True)
        }
        return {**weights, **halves}

    def facts(self, part: str) -> dict[str, Any]:
        """Arguments of ``lora.add_lora``; layers are named within ``part`` of the model."""
        layers = [name.removeprefix(part).removesuffix(".weight") for name in self.pairs]
        return {
            "rank": self.rank,
            "alpha": self.alpha,
            "dropout": self.dropout,
            "targets": layers,
        }


def read_adapters(folder: Path, weights: Mapping[str, Tensor]) -> Adapters | None:
    """Reads a run's adapters; None if it has none.

    Args:
        folder: Holds ``adapter_config.json`` and ``adapter_model``.
        weights: What they adapt, by our names.

    Raises:
        CheckpointError: If the files do not fit each other or the weights.
    """
    if not _has_adapters(folder):
        return None
    settings = read_json(folder / SETTINGS)
    rank, alpha, dropout = _numbers(folder, settings)
    halves: dict[str, dict[str, Tensor]] = {}
    for name, tensor in read_weights(folder, STEM).items():
        adapted = adapted_weight(name)
        if adapted is None or adapted[0] not in weights:
            raise CheckpointError(
                folder,
                f"{STEM} has {name}, which adapts no weight of the base. Is it the right "
                "base, and the right run?",
            )
        halves.setdefault(adapted[0], {})[adapted[1]] = tensor.float()
    pairs: dict[str, tuple[Tensor, Tensor]] = {}
    for name, pair in halves.items():
        if pair.keys() != {"A", "B"}:
            raise CheckpointError(folder, f"{STEM} has only half of the adapter of {name}.")
        rows, columns = weights[name].shape
        if (pair["A"].shape, pair["B"].shape) != ((rank, columns), (rows, rank)):
            raise CheckpointError(
                folder,
                f"{STEM} adapts {name} {(rows, columns)} by {tuple(pair['B'].shape)} times "
                f"{tuple(pair['A'].shape)}, with r={rank} in {SETTINGS}. Is it the right base?",
            )
        pairs[name] = pair["A"], pair["B"]
    _check_targets(folder, settings.get("target_modules"), pairs)
    return Adapters(rank=rank, alpha=alpha, dropout=dropout, pairs=pairs)


def refuse_strays(folder: Path, names: Iterable[str], adapted: Collection[str] = ()) -> None:
    """Refuses adapters among a folder's other weights, where they would be lost.

    Args:
        folder: For the message.
        names: Of its weights, as they are in its files.
        adapted: Our names of the weights whose adapters were read; a run may hold those twice.

    Raises:
        CheckpointError: It names the first one.
    """
    for name in filter(is_adapter, names):
        found = adapted_weight(name)
        if found is None or found[0] not in adapted:
            raise CheckpointError(
                folder,
                f"its weights hold an adapter, {name}, which no {SETTINGS} and {STEM} account for. "
                "Copy both from the run, or merge the adapters first.",
            )


def _has_adapters(folder: Path) -> bool:
    if (folder / SETTINGS).is_file():
        return True
    alone = sorted(path.name for path in folder.glob(f"{STEM}.*"))
    if alone:
        raise CheckpointError(
            folder, f"it has {alone[0]} and no {SETTINGS}, which says their scale. Copy it there."
        )
    return False


def _check_targets(folder: Path, targets: Any, pairs: Collection[str]) -> None:
    """Every layer that the settings name by its full path must have its adapter."""
    for target in targets if isinstance(targets, list) else ():
        released = f"{target}.weight"
        ours = our_name(released)
        if ours != released and ours not in pairs:
            raise CheckpointError(
                folder,
                f"{SETTINGS} names {target} among its target_modules, and {STEM} has no adapter of "
                "it. Do both come from the same run? Copy them again.",
            )


def _numbers(folder: Path, settings: dict[str, Any]) -> tuple[int, float, float]:
    """Rank, alpha and dropout."""
    strange = [name for name in UNKNOWN_HERE if settings.get(name)]
    if settings.get("bias", "none") != "none":
        strange.append("bias")
    if settings.get("peft_type") != "LORA" or strange:
        raise CheckpointError(
            folder,
            f"{SETTINGS} asks for more than plain LoRA: {', '.join(strange) or 'peft_type'}. "
            "Merge the adapters with peft and convert the merged weights.",
        )
    try:
        rank, alpha = int(settings["r"]), float(settings["lora_alpha"])
        dropout = float(settings.get("lora_dropout", 0.0))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(folder, f"{SETTINGS} has no sound lora_alpha and r.") from error
    if rank < 1:
        raise CheckpointError(folder, f"{SETTINGS} has no sound lora_alpha and r: r={rank}.")
    return rank, alpha, dropout
