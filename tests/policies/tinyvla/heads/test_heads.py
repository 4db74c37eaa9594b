"""What every head promises; policies/tinyvla/heads/head.py and the table in config.py."""

import json

import numpy as np
import pytest
import torch
from fakes import INTERFACE, an_observation
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_heads import (
    ACTIONS,
    CONDITION,
    HORIZON,
    UNET,
    a_config,
    a_head,
    a_head_that_sees_rows,
    seeded,
)
from tiny_models import NORMALIZER, SPEC
from torch import nn

from tinyvla_gym.contracts import check_policy
from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.policies.load import BUNDLED, load_policy
from tinyvla_gym.policies.tinyvla.config import HEADS, LATER, TinyVLAConfig, build
from tinyvla_gym.policies.tinyvla.heads.head import Head
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy

every_head = pytest.mark.parametrize("name", HEADS)
masks = st.lists(
    st.lists(st.booleans(), min_size=HORIZON, max_size=HORIZON), min_size=3, max_size=3
)


def some_frames(count=3):
    draw = seeded()
    condition = torch.randn(count, CONDITION, generator=draw)
    actions = torch.rand(count, HORIZON, ACTIONS, generator=draw) * 2 - 1
    return condition, actions, torch.zeros(count, HORIZON, dtype=torch.bool)


class Given(Head):
    """A head whose errors are what a test says."""

    def __init__(self, errors):
        super().__init__()
        self.given = errors

    @classmethod
    def from_config(cls, config, action_size, condition_size):
        return cls(torch.zeros(1))

    def errors(self, condition, actions, is_pad, generator):
        return self.given

    def chunks(self, condition, noise):
        return 3 * noise


@given(masks, st.integers(0, 9))
def test_the_loss_is_the_mean_error_of_the_actions_that_count(mask, seed) -> None:
    is_pad, errors = torch.tensor(mask), torch.rand(3, HORIZON, generator=seeded(seed))
    condition, actions, _ = some_frames()

    loss = Given(errors).loss(condition, actions, is_pad)

    wanted = errors[~is_pad].mean() if not is_pad.all() else torch.tensor(0.0)
    torch.testing.assert_close(loss, wanted)


@every_head
@settings(max_examples=15)
@given(mask=masks)
def test_what_stands_in_padded_rows_does_not_matter(name, mask) -> None:
    head, is_pad = a_head_that_sees_rows(name), torch.tensor(mask)
    condition, actions, _ = some_frames()
    garbage = torch.where(is_pad[..., None], 1e3, actions)

    clean, spoiled = (
        head.loss(condition, chunk, is_pad, generator=seeded()) for chunk in (actions, garbage)
    )

    torch.testing.assert_close(clean, spoiled)


@every_head
def test_padding_does_not_change_the_losss_scale(name) -> None:
    """One row in four that counts weighs as much as four equal rows would."""
    head, count = a_head_that_sees_rows(name), 1_000
    head.kl_weight = 0.0  # the manner of one action is not that of four
    condition = torch.ones(count, CONDITION)
    actions = torch.full((count, HORIZON, ACTIONS), 0.3)
    only_last = (torch.arange(HORIZON) < HORIZON - 1).expand(count, HORIZON)

    with torch.no_grad():
        whole = head.loss(condition, actions, only_last & False, generator=seeded())
        part = head.loss(condition, actions, only_last, generator=seeded())

    torch.testing.assert_close(part, whole, rtol=0.25, atol=0)


@every_head
def test_a_batch_of_nothing_but_padding_teaches_nothing(name) -> None:
    head, (condition, actions, is_pad) = a_head(name), some_frames()

    loss = head.loss(condition.requires_grad_(), actions, ~is_pad, generator=seeded())
    loss.backward()

    assert loss == 0
    assert condition.grad is not None
    assert not condition.grad.any()


@every_head
def test_the_loss_reaches_every_weight_and_the_backbone(name) -> None:
    head, (condition, actions, is_pad) = a_head(name), some_frames()

    head.loss(condition.requires_grad_(), actions, is_pad, draws=8, generator=seeded()).backward()

    assert condition.grad is not None
    assert condition.grad.any()
    assert [key for key, weight in head.named_parameters() if weight.grad is None] == []


@every_head
def test_the_loss_is_a_function_of_its_generator(name) -> None:
    head, frames = a_head(name), some_frames()

    losses = [head.loss(*frames, generator=seeded(seed)).item() for seed in (1, 1, 2)]

    assert losses[0] == losses[1]
    assert (losses[0] != losses[2]) == head.loss_varies


@every_head
def test_many_draws_are_many_frames_that_share_a_condition(name) -> None:
    head, frames = a_head(name), some_frames()

    drawn = head.loss(*frames, draws=3, generator=seeded())
    repeated = head.loss(*(part.repeat_interleave(3, 0) for part in frames), generator=seeded())

    torch.testing.assert_close(drawn, repeated)


@every_head
def test_equal_noise_gives_equal_chunks_in_the_unit_cube(name) -> None:
    head, (condition, _, _) = a_head(name).eval(), some_frames()
    noise = torch.randn(3, HORIZON, ACTIONS, generator=seeded())
    before = noise.clone()

    first, again, other = (head.sample(condition, n) for n in (noise, noise, -noise))

    assert first.shape == noise.shape
    assert first.abs().max() <= 1
    assert not first.requires_grad
    assert torch.equal(first, again)
    assert torch.equal(first, other) != head.plans_vary
    assert torch.equal(noise, before)


@every_head
def test_rows_of_a_batch_do_not_see_each_other(name) -> None:
    head, (condition, _, _) = a_head(name).eval(), some_frames()
    noise = torch.randn(3, HORIZON, ACTIONS, generator=seeded())

    together = head.sample(condition, noise)
    alone = [head.sample(condition[[row]], noise[[row]])[0] for row in range(3)]

    torch.testing.assert_close(together, torch.stack(alone), rtol=0, atol=1e-5)


def test_a_heads_chunks_are_cut_to_the_unit_cube() -> None:
    noise = torch.tensor([[[0.1], [-0.7], [9.0]]])

    chunk = Given(noise).sample(torch.zeros(1, CONDITION), noise)

    torch.testing.assert_close(chunk, torch.tensor([[[0.3], [-1.0], [1.0]]]))


@every_head
def test_a_length_that_does_not_fit_is_refused(name) -> None:
    head, wrong = a_head(name), 6
    condition, noise = torch.zeros(1, CONDITION), torch.zeros(1, wrong, ACTIONS)
    complaint = "multiple of 4" if name in UNET else f"chunks of {HORIZON} actions, got {wrong}"

    with pytest.raises(ConfigError, match=complaint):
        head.sample(condition, noise)
    with pytest.raises(ConfigError, match=complaint):
        head.loss(condition, noise, torch.zeros(1, wrong) > 0)


@every_head
@pytest.mark.parametrize("horizon", [4, 8, 12])
def test_every_head_makes_chunks_of_a_multiple_of_four(name, horizon) -> None:
    head = a_head(name, horizon=horizon)
    noise = torch.zeros(2, horizon, ACTIONS)

    assert head.sample(torch.zeros(2, CONDITION), noise).shape == noise.shape


@every_head
def test_other_lengths_are_possible_or_refused_when_configured(name) -> None:
    if name in UNET:
        with pytest.raises(ConfigError, match=r"horizon=5 must be a multiple of 4 for \w+Head"):
            a_config(name, horizon=5)
    else:
        noise = torch.zeros(1, 5, ACTIONS)
        assert a_head(name, horizon=5).sample(torch.zeros(1, CONDITION), noise).shape == noise.shape


@every_head
def test_half_precision_outside_is_full_precision_inside(name) -> None:
    head, (condition, actions, is_pad) = a_head(name).eval(), some_frames()
    noise = torch.randn(actions.shape, generator=seeded())

    def both():
        return (
            head.loss(condition, actions, is_pad, generator=seeded()).detach(),
            head.sample(condition, noise),
        )

    wanted = both()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = both()
    from_half = head.sample(condition.bfloat16().float().bfloat16(), noise)

    assert all(torch.equal(one, other) for one, other in zip(wanted, got, strict=True))
    assert from_half.dtype == torch.float32


def test_an_unknown_head_is_named() -> None:
    with pytest.raises(UnknownNameError, match=r"no head 'difusion'\. Did you mean 'diffusion'"):
        a_config("difusion")


@every_head
def test_options_that_the_head_does_not_know_are_refused(name) -> None:
    with pytest.raises(ConfigError, match=rf"\{{'wings': 2\}} do not fit {name}"):
        build(a_config(name, head_options={"wings": 2}), INTERFACE)


@pytest.mark.parametrize("name", ["act", "tokens"])
def test_attention_heads_must_share_the_width(name) -> None:
    with pytest.raises(ConfigError, match=r"do not fit|must be a multiple"):
        build(a_config(name, head_options={"width": 32, "heads": 5}), INTERFACE)


@every_head
def test_a_policy_with_any_head_keeps_every_promise_and_survives_its_folder(name, tmp_path) -> None:
    backbone = {"width": 32, "channels": (8, 16, 16), "points": 4, "text_width": 16}
    config = a_config(name, backbone_options=backbone, horizon=8, execute=4)
    facts = {**SPEC.to_dict(), "noise_shape": config.noise_shape(INTERFACE)}
    torch.manual_seed(0)
    policy = TinyVLAPolicy(build(config, INTERFACE), config, SPEC.from_dict(facts), NORMALIZER)
    for weight in policy.model.parameters():
        if not weight.any():
            nn.init.normal_(weight, std=0.1)
    policy.save_pretrained(tmp_path / "checkpoint")

    again = load_policy(tmp_path / "checkpoint")

    check_policy(policy)
    assert again.config == config
    plans = [p.plan_batch([an_observation()], noise=np.ones((1, 8, 2))) for p in (policy, again)]
    np.testing.assert_array_equal(*plans)


def test_a_spec_promises_noise_only_if_plans_vary() -> None:
    shapes = {name: a_config(name).noise_shape(INTERFACE) for name in HEADS}

    assert {name for name, shape in shapes.items() if shape} == {"diffusion", "flow", "one_step"}
    assert shapes["flow"] == (HORIZON, 2)


def test_checkpoints_from_before_there_were_heads_are_of_the_diffusion_head() -> None:
    facts = json.loads((BUNDLED / "nano-mt10" / "config.json").read_text())["model"]
    before = {key: value for key, value in facts.items() if key not in LATER}

    config = TinyVLAConfig.from_dict(before)

    assert set(before) | set(LATER) == set(config.to_dict())
    assert (config.head, config.head_options) == ("diffusion", {})
    assert load_policy("nano-mt10").config == config
