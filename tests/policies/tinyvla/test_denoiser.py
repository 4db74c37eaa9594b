"""Tests for policies/tinyvla/denoiser.py, against the released code's numbers where there are."""

import copy

import pytest
import released_folders
import torch
from golden_head import inputs, numbers, official_weights, our_name, released_model
from torch import nn

from tinyvla_gym.policies.tinyvla.denoiser import ConditionalUnet1D, SinusoidalEmbedding

PARTS = {  # official submodule -> ours
    **{f"down_modules.{i}.{j}": f"down.{i}.{j}" for i in range(3) for j in range(2)},
    **{f"down_modules.{i}.2": f"shrink.{i}" for i in range(2)},
    **{f"mid_modules.{j}": f"mid.{j}" for j in range(2)},
    **{f"up_modules.{i}.{j}": f"up.{i}.{j}" for i in range(2) for j in range(2)},
    **{f"up_modules.{i}.2": f"grow.{i}" for i in range(2)},
}


@pytest.fixture(scope="module")
def golden():
    return numbers()


@pytest.fixture(scope="module")
def released(golden):
    return released_model(golden["hidden_states"])


def small():
    torch.manual_seed(0)
    return ConditionalUnet1D(3, 5, widths=(8, 16, 16), step_size=8).eval()


def same(got, wanted, atol=1e-5):
    torch.testing.assert_close(got, wanted, rtol=0, atol=atol)


def test_every_released_weight_has_a_place_of_its_own_and_every_place_a_weight(released) -> None:
    renamed = [our_name(name) for name in official_weights()]

    assert len(set(renamed)) == len(renamed)
    assert set(renamed) == set(released.state_dict())


@torch.no_grad()
def test_the_released_head_predicts_the_same_noise(golden, released) -> None:
    denoiser, condition = released.head.denoiser, golden["global_cond"]

    predicted = denoiser(golden["noisy_actions"], golden["timesteps"], condition)
    at_42 = denoiser(golden["noisy_actions"], torch.full((3,), 42), condition)

    same(predicted, golden["eps"])
    same(at_42, golden["eps_int_timestep42"])


@torch.no_grad()
def test_the_released_heads_inner_activations_are_the_same(golden, released) -> None:
    denoiser, seen = released.head.denoiser, {}
    hooks = [
        denoiser.get_submodule(ours).register_forward_hook(
            lambda _part, _given, made, name=official: seen.setdefault(name, made)
        )
        for official, ours in PARTS.items()
    ]

    denoiser(golden["noisy_actions"], golden["timesteps"], golden["global_cond"])

    for hook in hooks:
        hook.remove()
    recorded = {name.removeprefix("act.") for name in golden if name.startswith("act.")}
    assert recorded - set(PARTS) == {"down_modules.2.2"}  # the identity
    for name, activation in seen.items():
        same(activation, golden[f"act.{name}"])


@torch.no_grad()
def test_the_released_condition_is_the_same(golden, released) -> None:
    words = torch.arange(3)

    same(released.norm(released.backbone([], words).pooled()), golden["pooled_normed"])
    same(released.encode(inputs(golden["states"])), golden["global_cond"])


@torch.no_grad()
def test_padding_tokens_do_not_reach_the_condition(golden) -> None:
    """What the released code gives when it is shown the valid tokens only."""
    features, mask = golden["hidden_states"], golden["attention_mask"]
    assert not mask.all()
    spoiled = features.masked_fill(~mask[..., None], 1e3)

    model = released_model(spoiled, mask)
    condition = model.encode(inputs(golden["states"]))
    predicted = model.head.denoiser(golden["noisy_actions"], golden["timesteps"], condition)

    same(
        model.norm(model.backbone([], torch.arange(3)).pooled()), golden["pooled_normed_valid_only"]
    )
    same(predicted, golden["eps_valid_only"])


@torch.no_grad()
def test_a_row_of_nothing_but_padding_is_finite(golden) -> None:
    model = released_model(golden["hidden_states"], torch.zeros(3, 23, dtype=torch.bool))

    assert model.encode(inputs(golden["states"])).isfinite().all()


@torch.no_grad()
def test_noise_levels_are_embedded_as_in_the_released_code(golden, released) -> None:
    wide = SinusoidalEmbedding(256)
    encoder = released.head.denoiser.step_encoder

    same(wide(golden["sinusoid256_levels"]), golden["sinusoid256"])
    same(encoder[0](golden["timesteps"]), golden["time_sinusoid"])
    same(encoder(golden["timesteps"]), golden["time_embedding"])


@torch.no_grad()
def test_coarse_noise_levels_are_those_that_the_released_code_ships(golden, released) -> None:
    shipped = {
        name.removeprefix("coarse/"): tensor
        for name, tensor in released_folders.numbers().items()
        if name.startswith("coarse/")
    }
    coarse = SinusoidalEmbedding(32, coarse=True)
    encoder = copy.deepcopy(released.head.denoiser.step_encoder)
    encoder[0] = coarse

    wide = SinusoidalEmbedding(256, coarse=True)(torch.arange(100))

    assert torch.equal(wide, shipped["sinusoid256"].float())
    assert torch.equal(coarse(golden["timesteps"]), shipped["time_sinusoid_legacy"])
    same(encoder(golden["timesteps"]), shipped["time_embedding_legacy"])


@pytest.mark.parametrize(
    ("width", "released"), [(512, 72_831_498), (1024, 80_963_082), (2048, 98_799_114)]
)
def test_the_released_defaults_have_the_released_number_of_weights(width, released) -> None:
    with torch.device("meta"):  # counted, not made
        parts = [ConditionalUnet1D(10, width), nn.LayerNorm(width), nn.Linear(width + 7, width)]

    assert sum(weight.numel() for part in parts for weight in part.parameters()) == released


@torch.no_grad()
@pytest.mark.parametrize("horizon", [4, 8, 12, 20])
def test_chunks_of_any_multiple_of_four_keep_their_shape(horizon) -> None:
    predicted = small()(torch.randn(2, horizon, 3), torch.tensor([0, 99]), torch.randn(2, 5))

    assert predicted.shape == (2, horizon, 3)


@torch.no_grad()
def test_rows_of_a_batch_do_not_see_each_other() -> None:
    denoiser = small()
    noisy, condition = torch.randn(6, 8, 3), torch.randn(6, 5)
    level = torch.tensor([0, 7, 42, 42, 77, 99])

    together = denoiser(noisy, level, condition)

    for row in range(6):
        alone = denoiser(noisy[[row]], level[[row]], condition[[row]])
        same(alone, together[[row]])


@torch.no_grad()
def test_every_input_matters() -> None:
    denoiser = small()
    noisy, level, condition = torch.randn(1, 8, 3), torch.tensor([50]), torch.randn(1, 5)
    usual = denoiser(noisy, level, condition)

    assert not torch.allclose(denoiser(noisy + 0.1, level, condition), usual, atol=1e-4)
    assert not torch.allclose(denoiser(noisy, level + 1, condition), usual, atol=1e-4)
    assert not torch.allclose(denoiser(noisy, level, condition + 0.1), usual, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("scale", [0.0, 1.0, 100.0])
def test_predictions_are_finite_at_every_level(scale) -> None:
    level = torch.arange(100)

    predicted = small()(scale * torch.randn(100, 4, 3), level, scale * torch.randn(100, 5))

    assert predicted.isfinite().all()
