"""Training on a recorded dataset, as the command line does it."""

import platform
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import torch

from tinyvla_gym.data.cache import Cache, open_cache
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.load import load_policy
from tinyvla_gym.policies.normalize import Normalizer
from tinyvla_gym.policies.policy import PolicySpec, check_fit
from tinyvla_gym.policies.tinyvla.config import build
from tinyvla_gym.policies.tinyvla.lora import merge_lora
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.policies.tinyvla.pretrained import Pretrained, is_backbone, load_backbone
from tinyvla_gym.training.config import TrainConfig
from tinyvla_gym.training.device import check_device
from tinyvla_gym.training.forecast import Forecast
from tinyvla_gym.training.logbook import Progress
from tinyvla_gym.training.loop import train
from tinyvla_gym.training.origin import tensors_digest
from tinyvla_gym.training.presets import PRESETS


def train_on_dataset(
    data: Path,
    run: Path,
    config: TrainConfig,
    *,
    name: str,
    start: str | None = None,
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
            backbone's folder, which gets a fresh head; fresh weights when None.
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
    dataset = Dataset(data)
    begin = backbone = digest = None
    if start is not None and is_backbone(start):
        backbone = load_backbone(start)
        digest = tensors_digest(backbone.weights)
        config = replace(config, model=backbone.within(config.model))
    elif start is not None:
        begin = open_start(start, dataset)
        _check_backbone(start, begin, config)
        digest = tensors_digest(begin.model.state_dict())
        merge_lora(begin.model)  # its adapters become weights; the run may get its own
        config = replace(config, model=begin.config)
    frames = open_cache(data, look=config.model.look, progress=on_decoded)
    if backbone is not None:
        begin = _grow_head(backbone, name, dataset, frames, config)
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
        _spec(name, dataset, config),
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


def _check_backbone(start: str, begin: TinyVLAPolicy, config: TrainConfig) -> None:
    """Refuses settings that were made for another backbone, if there are some for this one.

    Raises:
        ConfigError: It names the presets that would do.
    """
    ours, theirs = config.model.backbone, begin.config.backbone
    fitting = [name for name, preset in PRESETS.items() if preset.model.backbone == theirs]
    if ours != theirs and fitting:
        raise ConfigError(
            f"{start} has the backbone {theirs}, and these settings are for {ours}. "
            f"Choose a preset for it: {', '.join(fitting)}."
        )


def _spec(name: str, dataset: Dataset, config: TrainConfig) -> PolicySpec:
    """What a policy trained on the dataset promises."""
    interface, model = dataset.interface, config.model
    return PolicySpec(
        name=name,
        interface=interface,
        profile=dataset.profile,
        horizon=model.horizon,
        execute=model.execute,
        env_options={
            "cameras": {camera.name: [camera.height, camera.width] for camera in interface.cameras},
            "profile": dataset.profile,
            "action_mode": interface.action_mode,
        },
        noise_shape=model.noise_shape(interface),
    )


def _versions() -> dict[str, str]:
    packages = ("tinyvla-gym", "torch", "diffusers")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _grow_head(
    found: Pretrained, name: str, dataset: Dataset, frames: Cache, config: TrainConfig
) -> TinyVLAPolicy:
    """Puts a fresh head, and the data's statistics, on a backbone."""
    interface = dataset.interface
    torch.manual_seed(config.seed)
    model = build(config.model, interface)
    found.load_into(model.backbone)
    normalizer = Normalizer.from_data(
        interface.state, frames.state, interface.action, frames.action
    )
    return TinyVLAPolicy(model, config.model, _spec(name, dataset, config), normalizer)


def open_start(start: str, dataset: Dataset) -> TinyVLAPolicy:
    """Loads a policy that training may go on from, if it sees what the data shows.

    Raises:
        ConfigError: If it is no TinyVLA policy.
        InterfaceMismatchError: If it sees something else.
    """
    policy = load_policy(start)
    if not isinstance(policy, TinyVLAPolicy):
        raise ConfigError(f"{start} is no TinyVLA policy; training cannot go on from it.")
    check_fit(
        policy.spec,
        dataset.interface,
        dataset.profile,
        policy_name=start,
        env_name=f"dataset {dataset.folder}",
    )
    return policy
