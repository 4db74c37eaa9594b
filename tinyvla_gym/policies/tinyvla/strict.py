"""Strict loading: every weight that is wanted, none that is not, each of its shape."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from tinyvla_gym.errors import CheckpointError


def check_weights(
    path: Path | str, have: Mapping[str, Tensor], want: Mapping[str, Tensor], *, remedy: str = ""
) -> None:
    """Refuses weights that do not fit a model.

    Args:
        path: For the message.
        have: What was read.
        want: The model's state.
        remedy: What the message should advise.

    Raises:
        CheckpointError: It names the first missing, unexpected and misshaped ones.
    """
    misshaped = [
        f"{name} {tuple(have[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in want.items()
        if name in have and have[name].shape != tensor.shape
    ]
    problems = {
        "missing": sorted(want.keys() - have.keys()),
        "unexpected": sorted(have.keys() - want.keys()),
        "misshaped": misshaped,
    }
    if any(problems.values()):
        listed = (f"{what} weights: {_shown(names)}" for what, names in problems.items())
        raise CheckpointError(path, f"{'; '.join(listed)}.{remedy and ' '}{remedy}")


def _shown(names: Sequence[str], most: int = 5) -> str:
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more]) or "none"
