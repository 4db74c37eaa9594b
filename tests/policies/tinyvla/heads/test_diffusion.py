"""Tests for policies/tinyvla/heads/diffusion.py, some against the released code's numbers."""

import pytest
import torch
from golden_head import GivenTokens, inputs, numbers, released_model
from torch import nn

from tinyvla_gym.policies.tinyvla.denoiser import ConditionalUnet1D
from tinyvla_gym.policies.tinyvla.heads.diffusion import DiffusionHead


@pytest.fixture(scope="module")
def golden():
    return numbers()


class EachRowForItself(nn.Module):
    """Predicts noise from one action at a time, so that a test can tell what it will say."""

    def forward(self, noisy, level, condition):
        return noisy * condition[:, None, :1] + level[:, None, None] / 100


def unet_head(**settings):
    torch.manual_seed(0)
    return DiffusionHead(ConditionalUnet1D(3, 5, widths=(8, 16, 16), step_size=8), **settings)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def same(got, wanted, atol):
    torch.testing.assert_close(got, wanted, rtol=0, atol=atol)


def test_the_schedule_is_the_released_one(golden) -> None:
    head, fine = unet_head(), unet_head(sample_steps=100)

    same(head.schedule.betas, golden["betas"], 1e-7)
    assert head.schedule.timesteps.tolist() == list(range(90, -1, -10))
    assert head.schedule.timesteps.tolist() == golden["timesteps_10steps"].tolist()
    assert fine.schedule.timesteps.tolist() == golden["timesteps_100steps"].tolist()


@pytest.mark.parametrize("steps", [10, 100])
def test_the_released_head_samples_the_same_chunk(steps, golden) -> None:
    model = released_model(golden["hidden_states"][:1], sample_steps=steps)
    condition = model.encode(inputs(golden["states"][:1]))

    chunk = model.sample(condition, golden["initial_noise"])

    same(chunk, golden[f"actions_{steps}steps"], 2e-4)


def test_every_step_of_the_released_heads_sampling_is_the_same(golden) -> None:
    model = released_model(golden["hidden_states"][:1])
    starts = []
    model.head.denoiser.register_forward_pre_hook(lambda _part, given: starts.append(given[0]))

    chunk = model.sample(golden["global_cond"][:1], golden["initial_noise"])

    wanted = torch.cat([golden["initial_noise"], golden["samples_10steps"]])
    same(torch.cat([*starts, chunk]), wanted, 2e-4)


def test_the_released_loss_and_its_gradients_are_the_same(golden, monkeypatch) -> None:
    """The released code divides by all K actions, so that padding shrinks its loss; we do not."""
    features, state = golden["hidden_states"].clone(), golden["states"].clone()
    model = released_model(features.requires_grad_())
    is_pad, noise = golden["train_is_pad"][:, :16], golden["train_noise"]
    monkeypatch.setattr(torch, "randint", lambda *_shape, **_: golden["train_timesteps"])
    monkeypatch.setattr(torch, "randn", lambda *_shape, **_: noise)
    seen = {}
    model.head.denoiser.register_forward_hook(
        lambda _part, given, made: seen.update(noisy=given[0], predicted=made)
    )

    loss = model.loss(inputs(state.requires_grad_()), golden["train_actions"][:, :16], is_pad)
    share = (~is_pad).float().mean()
    (loss * share).backward()

    assert 0.1 < share < 0.9
    same(seen["noisy"], golden["train_noisy_actions"], 1e-6)
    same(seen["predicted"], golden["train_noise_pred"], 1e-5)
    same((loss * share).detach(), golden["train_loss"], 1e-6)
    same(features.grad, golden["train_grad_hidden_states"], 1e-7)
    same(state.grad, golden["train_grad_states"], 1e-6)


def test_equal_noise_gives_equal_chunks_and_other_noise_others() -> None:
    head, condition = unet_head(), torch.randn(1, 5)
    noise = torch.randn(1, 8, 3)

    first, again = head.sample(condition, noise), head.sample(condition, noise)
    rows = head.sample(condition.expand(3, -1), torch.cat([noise, -noise, noise]))

    assert torch.equal(first, again)
    same(rows[[0, 2]], first.expand(2, -1, -1), 1e-5)
    assert not torch.allclose(rows[1], first[0], atol=1e-2)


@pytest.mark.parametrize("steps", [1, 7, 100])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
def test_chunks_stay_in_the_unit_cube(steps, scale) -> None:
    chunk = unet_head(sample_steps=steps).sample(torch.randn(2, 5), scale * torch.randn(2, 4, 3))

    assert chunk.isfinite().all()
    assert chunk.abs().max() <= 1 + 1e-5


def test_sampling_keeps_no_graph_and_leaves_the_noise_alone() -> None:
    noise = torch.randn(1, 4, 3)
    before = noise.clone()

    chunk = unet_head().sample(torch.randn(1, 5), noise)

    assert not chunk.requires_grad
    assert torch.equal(noise, before)


def test_perfect_foresight_has_no_loss_and_samples_the_actions() -> None:
    """A denoiser that knows the answer leads every noise to it."""
    torch.manual_seed(0)
    answer = torch.rand(1, 8, 3) * 2 - 1
    head = DiffusionHead(nn.Identity())
    alphas = head.schedule.alphas_cumprod

    class Knows(nn.Module):
        def forward(self, noisy, level, condition):
            alpha = alphas[level][:, None, None]
            return (noisy - alpha.sqrt() * answer) / (1 - alpha).sqrt()

    head.denoiser = Knows()

    loss = head.loss(torch.zeros(1, 5), answer, torch.zeros(1, 8, dtype=torch.bool), draws=50)
    chunk = head.sample(torch.zeros(1, 5), torch.randn(1, 8, 3))

    assert loss < 1e-6
    same(chunk, answer, 1e-4)


def test_what_stands_in_padded_rows_does_not_matter() -> None:
    head = DiffusionHead(EachRowForItself())
    condition, actions = torch.randn(4, 5), torch.randn(4, 8, 3)
    is_pad = torch.arange(8).expand(4, 8) >= torch.tensor([[8], [5], [1], [0]])
    garbage = torch.where(is_pad[..., None], 1e6, actions)

    clean = head.loss(condition, actions, is_pad, generator=seeded())
    spoiled = head.loss(condition, garbage, is_pad, generator=seeded())

    assert torch.equal(clean, spoiled)


def test_padding_does_not_change_the_losss_scale() -> None:
    """One row in eight that counts weighs as much as eight equal rows would."""
    head = DiffusionHead(EachRowForItself())
    everywhere = torch.zeros(2_000, 8, dtype=torch.bool)
    only_first = torch.arange(8).expand(2_000, 8) > 0
    condition, actions = torch.ones(2_000, 5), torch.full((2_000, 8, 3), 0.3)

    whole = head.loss(condition, actions, everywhere, generator=seeded())
    part = head.loss(condition, actions, only_first, generator=seeded())

    torch.testing.assert_close(part, whole, rtol=0.05, atol=0)


def test_a_batch_of_nothing_but_padding_has_no_loss_and_no_gradient() -> None:
    head, condition = unet_head(), torch.randn(2, 5, requires_grad=True)

    loss = head.loss(condition, torch.randn(2, 8, 3), torch.ones(2, 8, dtype=torch.bool))
    loss.backward()

    assert loss == 0
    assert condition.grad is not None
    assert not condition.grad.any()


def test_many_draws_are_many_frames_that_share_a_condition() -> None:
    head = unet_head()
    condition, actions = torch.randn(2, 5), torch.rand(2, 8, 3)
    is_pad = torch.tensor([[False] * 8, [False] * 3 + [True] * 5])

    drawn = head.loss(condition, actions, is_pad, draws=3, generator=seeded())
    repeated = head.loss(
        *(given.repeat_interleave(3, dim=0) for given in (condition, actions, is_pad)),
        generator=seeded(),
    )

    torch.testing.assert_close(drawn, repeated)


def test_the_loss_is_a_function_of_its_generator() -> None:
    head, given = unet_head(), (torch.randn(2, 5), torch.rand(2, 8, 3), torch.zeros(2, 8) > 0)

    first, again, other = (head.loss(*given, generator=seeded(seed)) for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_every_level_is_trained() -> None:
    levels = set()
    head = DiffusionHead(EachRowForItself(), train_steps=20, sample_steps=4)
    head.denoiser.register_forward_pre_hook(lambda _part, given: levels.update(given[1].tolist()))

    head.loss(torch.ones(1, 1), torch.ones(1, 4, 2), torch.zeros(1, 4) > 0, draws=500)

    assert levels == set(range(20))


@pytest.mark.parametrize("mask", [[True, True], [True, False], [False, True]])
def test_pooling_is_the_mean_of_what_counts(mask) -> None:
    features = torch.tensor([[[1.0, 2.0], [5.0, 10.0]]])

    pooled = GivenTokens(features, torch.tensor([mask]))([], torch.tensor([0])).pooled()

    torch.testing.assert_close(pooled[0], features[0][torch.tensor(mask)].mean(0))
