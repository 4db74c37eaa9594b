"""A checkpoint for the toy that knows nothing and loads in a moment."""

from dataclasses import replace

import numpy as np
import torch
from tiny_models import CONFIG

from tinyvla_gym.envs.reach import ReachEnv
from tinyvla_gym.policies.normalize import Normalizer
from tinyvla_gym.policies.policy import PolicySpec
from tinyvla_gym.policies.tinyvla.config import build
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy

CAMERAS = {"top": [16, 16], "front": [16, 16]}


def save_checkpoint(folder, **changes):
    """Writes a policy; ``changes`` are to its spec. Returns the folder as text."""
    interface = ReachEnv(cameras=CAMERAS).interface
    spec = PolicySpec(
        name="clueless",
        interface=interface,
        profile="kinematic-1",
        horizon=CONFIG.horizon,
        execute=CONFIG.execute,
        env_options={"cameras": CAMERAS},
        noise_shape=(CONFIG.horizon, len(interface.action)),
    )
    torch.manual_seed(0)
    normalizer = Normalizer.from_data(
        interface.state,
        np.float32([interface.state_low, interface.state_high]),
        interface.action,
        np.float32([interface.action_low, interface.action_high]),
    )
    model = build(CONFIG, interface)
    policy = TinyVLAPolicy(model, CONFIG, replace(spec, **changes), normalizer)
    policy.save_pretrained(folder)
    return str(folder)
