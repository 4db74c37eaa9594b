"""TinyVLA models small enough to build and run in milliseconds."""

import numpy as np
import torch
from fakes import INTERFACE

from tinyvla_gym.policies.normalize import Normalizer
from tinyvla_gym.policies.policy import PolicySpec
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig, build
from tinyvla_gym.policies.tinyvla.llava_pythia.sizes import TOY
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy

CONFIG = TinyVLAConfig(
    backbone_options={"width": 32, "channels": (8, 16, 16), "points": 4, "text_width": 16},
    horizon=8,
    execute=4,
    widths=(8, 16, 16),
    step_size=8,
)
SPEC = PolicySpec(
    name="tiny",
    interface=INTERFACE,
    profile="kinematic-1",
    horizon=8,
    execute=4,
    env_options={"cameras": {"front": [12, 16]}},
    noise_shape=(8, 2),
)
NORMALIZER = Normalizer.from_data(
    INTERFACE.state,
    np.float32([[-0.5, -1], [0.5, 1]]),
    INTERFACE.action,
    np.float32([[-1, -0.5], [1, 1.5]]),  # beyond the interface's 1, so that clipping shows
)


def a_model(seed=0, config=CONFIG):
    torch.manual_seed(seed)
    model = build(config, INTERFACE)
    for parameter in model.parameters():  # also those that begin at 0, such as FiLM's
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    with torch.no_grad():  # sampling enlarges the rounding errors of a head that knows nothing
        model.head.denoiser.final[-1].weight.mul_(0.3)
    return model


def a_policy(seed=0, **settings):
    given = {"config": CONFIG, "spec": SPEC, "normalizer": NORMALIZER, **settings}
    return TinyVLAPolicy(a_model(seed, given["config"]), **given)


LLAVA = TinyVLAConfig(
    backbone="llava_pythia",
    backbone_options={**TOY, "picture_path": "released"},
    horizon=8,
    execute=4,
    widths=(8, 16, 16),
    step_size=8,
)
"""The released architecture at a doll's width, with the released picture path."""
