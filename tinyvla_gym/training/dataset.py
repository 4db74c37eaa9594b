"""Training on a recorded dataset, as the command line does it."""

import platform
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from tinyvla_gym.data.cache import open_cache
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.policies.tinyvla.lora import merge_lora
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.policies.tinyvla.pretrained import is_backbone, load_backbone
from tinyvla_gym.training.config import TrainConfig
from tinyvla_gym.training.device import check_device
from tinyvla_gym.training.forecast import Forecast
from tinyvla_gym.training.logbook import Progress
from tinyvla_gym.training.loop import train
from tinyvla_gym.training.origin import tensors_digest
from tinyvla_gym.training.run_folder import check_free
from tinyvla_gym.training.start import (
    check_backbone,
    grow_policy,
    open_start,
    spec_of,
    with_another_head,
)
from tinyvla_gym.training.team import launched_rank


def train_on_dataset(
    data: Path,
    run: Path,
    config: TrainConfig,
    *,
    name: str,
    start: str | None = None,
    head: str | None = None,
    resume: bool = False,
    device: str = "cpu",
    on_decoded: Callable[[int, int], None] = lambda _done, _total: None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_forecast: Callable[[Forecast], None] | None = None,
    on_looked: Callable[[int, int], None] = lambda _done, _total: None,
) -> TinyVLAPolicy:
    """Trains a policy for a dataset's interface and render profile.

    Args:
        data: A dataset's folder.
        run: Folder of the run; see ``train``.
        config: The settings.
        name: What messages and reports call the policy.
        start: A policy to go on from, as ``load_policy`` takes it, with its own model; or a
            backbone's folder, which gets the settings' head; fresh weights when None.
        head: Another head for the policy to go on from, which begins afresh; its own when None.
        resume: Go on with an interrupted run.
        device: Where it computes; see ``train``.
        on_decoded: Told (done, total) episodes while the dataset is decoded.
        on_progress: Told of every line of the log.
        on_forecast: Told before the first step what the run will need.
        on_looked: Told (done, total) pictures while the cache of features is filled.

    Returns:
        The policy, also saved as ``run/checkpoint``.

    Raises:
        ConfigError: If the model cannot reduce the dataset's pictures as it should, or the start
            has another backbone than the settings, and for what ``train`` refuses.
        DatasetError: If the dataset is damaged or cut short.
        OutputError: If the run's folder is in use or cannot be written to.
    """
    check_device(device)
    if launched_rank() == 0:
        check_free(run, resume=resume)  # before minutes of decoding
    dataset = Dataset(data)
    if head is not None:
        config = replace(config, model=replace(config.model, head=head))
    begin = backbone = digest = None
    if start is not None and is_backbone(start):
        backbone = load_backbone(start)
        digest = tensors_digest(backbone.weights)
        config = replace(config, model=backbone.within(config.model))
    elif start is not None:
        begin = open_start(start, dataset)
        check_backbone(start, begin, config)
        digest = tensors_digest(begin.model.state_dict())
        merge_lora(begin.model)  # its adapters become weights; the run may get its own
        if head not in (None, begin.config.head):
            begin = with_another_head(begin, head, config)
        config = replace(config, model=begin.config)
    frames = open_cache(data, look=config.model.look, progress=on_decoded)
    spec = spec_of(name, dataset, config)
    if backbone is not None:
        begin = grow_policy(backbone, spec, frames, config)
    facts = {
        "start": start,
        "start_weights": digest,
        "data": {
            "fingerprint": dataset.fingerprint(),
            "episodes": len(dataset),
            "frames": len(frames.state),
            "tasks": sorted(set(frames.tasks)),
        },
        "train": config.to_dict(),
        "versions": _versions(),
    }
    return train(
        frames,
        spec,
        config,
        run,
        start=begin,
        facts=facts,
        resume=resume,
        device=device,
        on_progress=on_progress,
        on_forecast=on_forecast,
        on_looked=on_looked,
    )


def _versions() -> dict[str, str]:
    packages = ("tinyvla-gym", "torch", "diffusers")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
