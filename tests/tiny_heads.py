"""Heads small enough to learn in seconds, and something for them to learn."""

from dataclasses import replace

import torch
from torch import nn

from tinyvla_gym.policies.tinyvla.config import HEADS, TinyVLAConfig

ACTIONS, CONDITION, HORIZON = 2, 4, 4
OPTIONS = {
    "regression": {"width": 64},
    "act": {"width": 32, "heads": 2, "layers": 1, "latent": 4},
    "tokens": {"width": 32, "heads": 2, "layers": 2, "bins": 32},
}
UNET = ("diffusion", "flow", "one_step")


def a_config(name, **changes):
    tiny = TinyVLAConfig(
        head=name,
        head_options=OPTIONS.get(name, {}),
        horizon=HORIZON,
        execute=1,
        widths=(32, 32, 32),
        step_size=16,
        kernel=3,
    )
    return replace(tiny, **changes)


def a_head(name, seed=0, **changes):
    torch.manual_seed(seed)
    config = a_config(name, **changes)
    return HEADS[name].from_config(config, ACTIONS, CONDITION)


class EachRowForItself(nn.Module):
    """Stands in for the U-Net: looks at one action at a time, so that padding cannot be seen."""

    def forward(self, noisy, level, condition):
        return noisy * condition[:, None, :1] + level[:, None, None] / 100


def a_head_that_sees_rows(name):
    """Like ``a_head``, but no neighbours in a chunk see each other through convolutions."""
    head = a_head(name)
    if name in UNET:
        head.denoiser = EachRowForItself()
    return head


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def demonstrations(count, generator, *, manners):
    """Chunks that follow from a condition, save that with two manners half have the other sign.

    Returns the condition (B, D), the chunk in the first manner and the demonstrated one (B, K, A).
    """
    condition = torch.rand(count, CONDITION, generator=generator) * 2 - 1
    ramp = torch.linspace(0.6, 1, HORIZON)[:, None] * torch.tensor([1.0, -0.7])  # (K, A)
    chunk = (0.5 + 0.3 * condition[:, :1, None]) * ramp
    sign = torch.randint(0, manners, (count, 1, 1), generator=generator) * -2 + 1
    return condition, chunk, chunk * sign


def taught(name, *, steps, manners, batch=64):
    """A head after a short course; every batch is new."""
    head, generator = a_head(name), seeded(1)
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    nothing = torch.zeros(batch, HORIZON, dtype=torch.bool)
    for _ in range(steps):
        condition, _, chunk = demonstrations(batch, generator, manners=manners)
        loss = head.loss(condition, chunk, nothing, generator=generator)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return head.eval()


def distances(head, count=200):
    """How far plans for new conditions are from each of the two manners, (2, B)."""
    condition, chunk, _ = demonstrations(count, seeded(2), manners=1)
    plan = head.sample(condition, torch.randn(chunk.shape, generator=seeded(3)))
    return torch.stack([(plan - sign * chunk).abs().mean((1, 2)) for sign in (1, -1)])
