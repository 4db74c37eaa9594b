"""The resumable state of a run: one safetensors file, replaced whole."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tinyvla_gym.data.atomic import written_whole
from tinyvla_gym.errors import CheckpointError, OutputError
from tinyvla_gym.training.ema import Ema
from tinyvla_gym.training.sharding import piece, whole


def save_state(
    path: Path,
    step: int,
    model: nn.Module,
    ema: Ema,
    optimizer: torch.optim.Optimizer,
    *,
    write: bool = True,
) -> None:
    """Writes everything that the next step depends on; whole, where processes hold pieces.

    Args:
        path: The file; an older one is replaced in one go.
        step: Steps done.
        model: The weights.
        ema: The averaged weights.
        optimizer: AdamW, whose moments are kept.
        write: Whether this process writes; others hand in their pieces only.

    Raises:
        OutputError: If the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    tensors |= {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"ema.{name}": tensor for name, tensor in ema.model.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in moments.items()}
    complete = {name: whole(tensor.detach()) for name, tensor in tensors.items()}
    if not write:
        return
    plain = {name: tensor.cpu().contiguous().clone() for name, tensor in complete.items()}
    try:
        with written_whole(path) as partial:
            save_file(plain, partial, metadata={"step": str(step)})
    except SafetensorError as error:  # a full disk is one
        raise OutputError(path, str(error)) from error


def load_state(path: Path, model: nn.Module, ema: Ema, optimizer: torch.optim.Optimizer) -> int:
    """Restores what ``save_state`` wrote, in place; returns the steps done.

    Raises:
        CheckpointError: If the file is cut short or belongs to another model.
    """
    try:
        with safe_open(path, "pt") as file:
            step = int(file.metadata()["step"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        _load_weights(model, _part(tensors, "model."))
        _load_weights(ema.model, _part(tensors, "ema."))
        _load_moments(optimizer, _part(tensors, "optimizer."))
    except (OSError, SafetensorError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(path, f"the run cannot be resumed from it: {error}") from error
    return step


def _load_weights(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    own = model.state_dict()
    model.load_state_dict({name: piece(t, own.get(name, t)) for name, t in tensors.items()})


def _load_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, moment = name.split(".", 1)
        moments.setdefault(int(index), {})[moment] = tensor
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for index, weight in enumerate(weights):
        known = moments.get(index, {}).values()  # none if the weight never had a gradient
        if any(moment.dim() and moment.shape != weight.shape for moment in known):
            raise ValueError(f"optimizer.{index} is not of the shape {tuple(weight.shape)}")
        for name, moment in moments.get(index, {}).items():
            moments[index][name] = piece(moment, weight) if moment.dim() else moment
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
