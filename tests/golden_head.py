"""The authors' released U-Net head with small random weights, and what it answered.

Numbers only: ``unet_head_weights.safetensors`` has the official names, ``unet_head.safetensors``
inputs, outputs and gradients of the float32 run.
"""

import re
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from tinyvla_gym.policies.tinyvla.backbone import Tokens
from tinyvla_gym.policies.tinyvla.denoiser import ConditionalUnet1D
from tinyvla_gym.policies.tinyvla.heads.diffusion import DiffusionHead
from tinyvla_gym.policies.tinyvla.model import Inputs, TinyVLA

FOLDER = Path(__file__).parent / "golden"

RENAMED = (  # official -> ours, in this order
    (r"^embed_out\.(?!norm_after_pool|combine)", "head.denoiser."),
    (r"^embed_out\.norm_after_pool", "norm"),
    (r"^embed_out\.combine", "fusion.0"),
    (r"diffusion_step_encoder", "step_encoder"),
    (r"down_modules\.(\d)\.2\.conv", r"shrink.\1"),
    (r"up_modules\.(\d)\.2\.conv", r"grow.\1"),
    (r"(down|mid|up)_modules", r"\1"),
    (r"final_conv\.0\.block", "final.0"),
    (r"final_conv", "final"),
    (r"blocks\.0\.block", "first"),
    (r"blocks\.1\.block", "second"),
    (r"cond_encoder", "film"),
    (r"residual_conv", "shortcut"),
)


def our_name(official: str) -> str:
    for pattern, ours in RENAMED:
        official = re.sub(pattern, ours, official)
    return official


class GivenTokens(nn.Module):
    """A backbone that understood everything beforehand; words are rows of what it was given."""

    def __init__(self, features, mask=None):
        super().__init__()
        self.features = features
        self.mask = torch.ones(features.shape[:2], dtype=torch.bool) if mask is None else mask
        self.width = features.shape[-1]

    def tokenize(self, sentences):
        return torch.arange(len(sentences))

    def forward(self, images, words):
        return Tokens(features=self.features[words], mask=self.mask[words])


def official_weights():
    return load_file(FOLDER / "unet_head_weights.safetensors")


def numbers():
    return load_file(FOLDER / "unet_head.safetensors")


def released_model(features, mask=None, *, sample_steps=10):
    """The released head behind a backbone that gives ``features``, (B, T, 48)."""
    denoiser = ConditionalUnet1D(10, 48, widths=(16, 32, 64), step_size=32)
    head = DiffusionHead(denoiser, sample_steps=sample_steps)
    model = TinyVLA(GivenTokens(features, mask), head, state_size=7, fusion_layers=1)
    weights = {our_name(name): tensor for name, tensor in official_weights().items()}
    model.load_state_dict(weights, strict=True)
    return model.eval()


def inputs(state):
    return Inputs(images=[], words=torch.arange(len(state)), state=state)
