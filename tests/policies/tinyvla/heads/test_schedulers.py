"""Tests for the choice of a noise schedule in policies/tinyvla/heads/diffusion.py."""

import pytest
import torch
from diffusers import DDIMScheduler
from tiny_heads import EachRowForItself, a_head, seeded
from torch import nn

from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.policies.tinyvla.heads.diffusion import DiffusionHead

SOLVERS = (
    "DDIMScheduler",
    "DDPMScheduler",
    "DPMSolverMultistepScheduler",
    "EulerDiscreteScheduler",
    "UniPCMultistepScheduler",
)
ANSWER = torch.linspace(-0.9, 0.8, 16).view(1, 8, 2)
NOISE = torch.randn(1, 8, 2, generator=seeded())
CONDITION = torch.zeros(1, 4)


class Knows(nn.Module):
    """A denoiser that knows the answer, and says it the way that is asked for."""

    def __init__(self, head, asked="epsilon"):
        super().__init__()
        self.head, self.asked = [head], asked

    def forward(self, noisy, level, condition):
        signal, spread = (
            each[level.long()][:, None, None] for each in (self.head[0].signal, self.head[0].spread)
        )
        noise = (noisy - signal * ANSWER) / spread
        says = {"epsilon": noise, "sample": ANSWER.expand(noisy.shape)}
        return {**says, "v_prediction": signal * noise - spread * ANSWER}[self.asked]


def a_knowing_head(asked="epsilon", **settings):
    head = DiffusionHead(nn.Identity(), **settings)
    head.denoiser = Knows(head, asked)
    return head


@pytest.mark.parametrize("name", SOLVERS)
def test_any_of_diffusers_schedulers_leads_a_knowing_network_to_the_answer(name) -> None:
    head = a_knowing_head(scheduler=name, sample_steps=20)

    for _ in range(2):  # nothing of the first plan is left in the second
        torch.testing.assert_close(head.sample(CONDITION, NOISE), ANSWER, rtol=0, atol=0.02)


@pytest.mark.parametrize("asked", ["epsilon", "sample", "v_prediction"])
def test_what_is_learned_is_what_the_scheduler_wants_predicted(asked) -> None:
    head = a_knowing_head(asked, scheduler_options={"prediction_type": asked})

    loss = head.loss(CONDITION, ANSWER, torch.zeros(1, 8) > 0, draws=50, generator=seeded())

    assert loss < 1e-6
    torch.testing.assert_close(head.sample(CONDITION, NOISE), ANSWER, rtol=0, atol=1e-4)


def test_the_noise_in_training_is_diffusers_noise() -> None:
    head, seen = DiffusionHead(EachRowForItself()), {}
    head.denoiser.register_forward_pre_hook(
        lambda _part, given: seen.update(noisy=given[0], level=given[1])
    )
    head.loss(CONDITION, ANSWER, torch.zeros(1, 8) > 0, draws=30, generator=seeded(7))
    replay = seeded(7)
    level = torch.randint(100, (30,), generator=replay)
    noise = torch.randn(30, 8, 2, generator=replay)

    wanted = DDIMScheduler(num_train_timesteps=100, beta_schedule="squaredcos_cap_v2").add_noise(
        ANSWER.expand(30, -1, -1), noise, level
    )

    assert torch.equal(seen["level"], level)
    torch.testing.assert_close(seen["noisy"], wanted)


@pytest.mark.parametrize("name", SOLVERS)
def test_schedulers_that_draw_do_so_from_the_plans_own_noise(name) -> None:
    head = a_head("diffusion", head_options={"scheduler": name}).eval()
    condition, noise = torch.zeros(3, 4), torch.randn(3, 4, 2, generator=seeded())
    torch.manual_seed(1)
    together = head.sample(condition, noise)
    torch.manual_seed(2)

    alone = [head.sample(condition[[row]], noise[[row]])[0] for row in range(3)]

    torch.testing.assert_close(together, torch.stack(alone), rtol=0, atol=1e-4)


def test_ddpm_draws_on_its_way() -> None:
    ways = [a_head("diffusion", head_options={"scheduler": name}).eval() for name in SOLVERS[:2]]

    plans = [head.sample(CONDITION, NOISE[:, :4]) for head in ways]

    assert not torch.allclose(*plans, atol=1e-2)


def test_a_schedulers_options_replace_tinyvlas() -> None:
    settings = {"timestep_spacing": "trailing", "clip_sample": False}

    head = DiffusionHead(nn.Identity(), scheduler_options=settings)

    assert head.schedule.timesteps.tolist() == list(range(99, 0, -10))
    assert not head.schedule.config["clip_sample"]
    assert head.schedule.config["beta_schedule"] == "squaredcos_cap_v2"


def test_an_unknown_scheduler_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match=r"no scheduler 'DDPM'\. Did you mean 'DDPMSch"):
        DiffusionHead(nn.Identity(), scheduler="DDPM")


def test_an_option_that_the_scheduler_does_not_know_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"DDIMScheduler cannot be made with \{'wings': 2\}"):
        DiffusionHead(nn.Identity(), scheduler_options={"wings": 2})


def test_a_scheduler_of_another_family_is_refused() -> None:
    with pytest.raises(ConfigError, match="FlowMatchEulerDiscreteScheduler has no noise levels"):
        DiffusionHead(nn.Identity(), scheduler="FlowMatchEulerDiscreteScheduler")
