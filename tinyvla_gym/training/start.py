"""What a training run begins from: a policy, a policy under another head, or a backbone."""

from dataclasses import replace

import torch

from tinyvla_gym.data.cache import Cache
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.load import load_policy
from tinyvla_gym.policies.normalize import Normalizer
from tinyvla_gym.policies.policy import PolicySpec, check_fit
from tinyvla_gym.policies.tinyvla.config import build
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.policies.tinyvla.pretrained import Pretrained
from tinyvla_gym.training.config import TrainConfig
from tinyvla_gym.training.presets import PRESETS


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


def check_backbone(start: str, begin: TinyVLAPolicy, config: TrainConfig) -> None:
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


def with_another_head(begin: TinyVLAPolicy, head: str, config: TrainConfig) -> TinyVLAPolicy:
    """Puts a fresh head on a policy's eyes, reader and fusion; its statistics stay.

    Args:
        begin: The policy, without adapters.
        head: The new head's name.
        config: The run's settings: its seed draws the fresh weights, and its model says how many
            actions of a chunk are played.

    Raises:
        UnknownNameError: If there is no such head.
        ConfigError: If it cannot make the policy's chunks.
    """
    execute = min(config.model.execute, begin.config.horizon)
    model = replace(begin.config, head=head, head_options={}, execute=execute)
    torch.manual_seed(config.seed)
    fresh = build(model, begin.spec.interface)
    kept = {
        name: weight
        for name, weight in begin.model.state_dict().items()
        if not name.startswith("head.")
    }
    fresh.load_state_dict({**fresh.state_dict(), **kept})
    noise = model.noise_shape(begin.spec.interface)
    spec = replace(begin.spec, noise_shape=noise, execute=execute)
    return TinyVLAPolicy(fresh, model, spec, begin.normalizer)


def grow_policy(
    found: Pretrained, spec: PolicySpec, frames: Cache, config: TrainConfig
) -> TinyVLAPolicy:
    """Puts a fresh head, and the data's statistics, on a backbone."""
    interface = spec.interface
    torch.manual_seed(config.seed)
    model = build(config.model, interface)
    found.load_into(model.backbone)
    normalizer = Normalizer.from_data(
        interface.state, frames.state, interface.action, frames.action
    )
    return TinyVLAPolicy(model, config.model, spec, normalizer)


def spec_of(name: str, dataset: Dataset, config: TrainConfig) -> PolicySpec:
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
