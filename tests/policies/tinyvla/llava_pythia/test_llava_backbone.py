"""Tests for policies/tinyvla/llava_pythia/; numbers are in released/test_released_importer.py."""

from dataclasses import replace

import pytest
import torch
from fakes import INTERFACE, an_observation
from released_folders import INTERFACE as FRANKA
from released_folders import numbers, pixels, words
from tiny_models import NORMALIZER, SPEC

from tinyvla_gym.contracts import check_policy
from tinyvla_gym.errors import ConfigError, InstructionError, UnknownNameError
from tinyvla_gym.policies.tinyvla.backbone import Tokens
from tinyvla_gym.policies.tinyvla.config import build
from tinyvla_gym.policies.tinyvla.llava_pythia.backbone import LlavaPythia
from tinyvla_gym.policies.tinyvla.llava_pythia.sizes import options
from tinyvla_gym.policies.tinyvla.llava_pythia.vision import projector
from tinyvla_gym.policies.tinyvla.lora import add_lora
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.training.presets import preset

VISION = {
    "model_type": "clip_vision_model",
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
SIGLIP = {**VISION, "model_type": "siglip_vision_model"}
BODY = {
    "vocab_size": 260,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 512,
}
PICTURES = [torch.randint(0, 256, (2, 12, 16, 3), dtype=torch.uint8) for _ in range(2)]


def a_backbone(cameras=2, **changes):
    torch.manual_seed(0)
    return LlavaPythia(cameras, **{"vision": VISION, "body": BODY, **changes}).eval()


def a_config():
    given = {"vision": VISION, "body": BODY}
    tiny = {"widths": (8, 16, 16), "step_size": 8, "horizon": 8, "execute": 4}
    return replace(preset("s").model, backbone_options=given, **tiny)


@pytest.mark.parametrize(("size", "millions"), [("s", 421.8), ("b", 740.4), ("h", 1317.4)])
def test_the_published_sizes_have_the_published_numbers_of_weights(size, millions) -> None:
    with torch.device("meta"):  # counted, not made
        model = build(preset(size).model, FRANKA)

    found = sum(weight.numel() for weight in model.parameters()) / 1e6
    assert found == pytest.approx(millions, rel=1e-3)


def test_an_unknown_size_is_named() -> None:
    with pytest.raises(UnknownNameError, match="no size of LLaVA-Pythia 'm'"):
        options("m")


def test_a_policy_with_it_keeps_every_promise() -> None:
    torch.manual_seed(0)
    config = a_config()
    model = build(config, INTERFACE)
    with torch.no_grad():  # a head that knows nothing enlarges rounding errors
        model.head.denoiser.final[-1].weight.mul_(0.3)

    check_policy(TinyVLAPolicy(model, config, SPEC, NORMALIZER))


@torch.no_grad()
@pytest.mark.parametrize("vision", [VISION, SIGLIP], ids=["clip", "siglip"])
def test_every_camera_adds_its_patches_to_the_prompt(vision) -> None:
    for cameras in (1, 2, 3):
        backbone = a_backbone(cameras, vision=vision)
        prompts = backbone.tokenize(["go", "open the drawer"])

        tokens = backbone((PICTURES * 2)[:cameras], prompts)

        assert tokens.features.shape == (2, prompts.shape[1] - 1 + 4 * cameras, 32)
        assert tokens.mask.sum(1).diff() == len("open the drawer") - len("go")


@torch.no_grad()
def test_what_stands_beside_a_sentence_does_not_change_it() -> None:
    backbone = a_backbone()
    prompts = backbone.tokenize(["go", "a much longer sentence"])

    together = backbone(PICTURES, prompts).pooled()
    alone = backbone([picture[:1] for picture in PICTURES], prompts[:1]).pooled()

    torch.testing.assert_close(together[:1], alone, rtol=0, atol=1e-6)


@torch.no_grad()
def test_the_released_pooling_counts_padding() -> None:
    ours, legacy = a_backbone(), a_backbone(pool_padding=True)
    prompts = ours.tokenize(["go", "a much longer sentence"])

    masked, everything = ours(PICTURES, prompts), legacy(PICTURES, prompts)

    assert torch.equal(masked.features, everything.features)
    assert everything.mask.all()
    assert not torch.allclose(masked.pooled()[0], everything.pooled()[0], atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("layer", [0, 1, -2, -1])
def test_blocks_above_the_chosen_layer_are_not_run(layer) -> None:
    """Spoiling them changes nothing; transformers' own hidden state is the same."""
    backbone = a_backbone(layer=layer)
    pictures = torch.randn(1, 3, 28, 28)
    wanted = backbone.eyes.tower(pictures, output_hidden_states=True).hidden_states[layer][:, 1:]

    for block in list(backbone.eyes.tower.encoder.layers)[layer % 4 :]:
        for weight in block.parameters():
            weight.fill_(float("nan"))

    torch.testing.assert_close(backbone.eyes(pictures), wanted, rtol=0, atol=1e-6)


def test_every_adapter_up_to_the_chosen_layer_learns() -> None:
    model = build(a_config(), INTERFACE).train()
    add_lora(model, rank=2, alpha=4.0)
    policy = TinyVLAPolicy(model, a_config(), SPEC, NORMALIZER)
    inputs = policy.inputs([an_observation(x_m=0.1, instruction="go")] * 2)

    model.loss(inputs, torch.rand(2, 8, 2), torch.zeros(2, 8, dtype=torch.bool)).backward()

    for name, weight in model.named_parameters():
        if "lora_B" in name and "encoder.layers.2" not in name:  # the last block is not run
            assert weight.grad is not None, name
            assert weight.grad.any(), name


@torch.no_grad()
def test_half_precision_gives_full_precision_features() -> None:
    backbone = a_backbone()
    wanted = backbone(PICTURES, backbone.tokenize(["go", "go"])).features

    got = backbone.to(torch.bfloat16)(PICTURES, backbone.tokenize(["go", "go"])).features

    assert got.dtype == torch.float32
    torch.testing.assert_close(got, wanted, rtol=0, atol=0.1)


def test_more_cameras_than_places_are_refused() -> None:
    complaint = r"4 cameras make 2304 tokens.*Use 1 to 3 cameras"

    with pytest.raises(ConfigError, match=complaint), torch.device("meta"):
        LlavaPythia(4, **options("s"))


def test_a_prompt_that_the_cameras_leave_no_place_for_is_refused() -> None:
    with pytest.raises(ConfigError, match="use fewer cameras or smaller pictures"):
        a_backbone(2, body={**BODY, "max_position_embeddings": 100})


def test_a_sentence_longer_than_the_context_is_refused() -> None:
    backbone = a_backbone(body={**BODY, "max_position_embeddings": 250})

    backbone.tokenize(["go"])
    with pytest.raises(InstructionError, match="Use a shorter sentence"):
        backbone.tokenize(["go " * 80])


def test_the_packages_longest_sentence_fits_beside_three_cameras_even_in_bytes() -> None:
    sentence = "close the fingers around the puck and transport it to the floating target"
    with torch.device("meta"):
        backbone = LlavaPythia(3, **options("s"))

    assert backbone.tokenize([sentence]).shape[1] - 1 + 3 * 576 <= 2048


IMPOSSIBLE = {
    "no tower": ({"vision": {**VISION, "model_type": "resnet"}}, "no vision tower 'resnet'"),
    "no layer": ({"layer": 4}, "layer=4 is none of the tower's 4 hidden states"),
    "no projector": ({"projection": "mlp0x_gelu"}, r"identity, linear or mlp<N>x_gelu"),
    "no identity": ({"projection": "identity"}, "cannot map 16 features to 32"),
    "a small vocabulary": ({"body": {**BODY, "vocab_size": 100}}, "the body embeds 100"),
    "a large pad": ({"pad_id": 400}, "pad_id is 400"),
    "no camera": ({"cameras": 0}, "0 cameras make 0 tokens"),
}


@pytest.mark.parametrize(("changes", "complaint"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_parts_that_do_not_fit_are_refused(changes, complaint) -> None:
    with pytest.raises((ConfigError, UnknownNameError), match=complaint):
        a_backbone(**changes)


def test_the_projector_is_trained_in_full_beside_adapters() -> None:
    model = build(a_config(), INTERFACE)

    add_lora(model, rank=2, alpha=4.0)

    free = {
        name: weight.requires_grad
        for name, weight in model.named_parameters()
        if "projector" in name
    }
    assert len(free) == 4
    assert all(free.values())


def test_projectors_have_as_many_layers_as_they_say() -> None:
    names = [
        [type(part).__name__ for part in projector(kind, 4, 4)]
        for kind in ("identity", "linear", "mlp3x_gelu")
    ]

    assert names == [[], ["Linear"], ["Linear", "GELU", "Linear", "GELU", "Linear"]]


@torch.no_grad()
def test_pictures_stand_where_the_released_code_puts_them() -> None:
    golden = numbers()
    vision = {**VISION, "hidden_size": 32, "intermediate_size": 64, "image_size": 56}
    backbone = a_backbone(vision=vision, body={**BODY, "vocab_size": 320, "hidden_size": 64})

    tokens = backbone.understand(pixels(golden, 2), words(golden))

    assert isinstance(tokens, Tokens)
    assert torch.equal(tokens.mask, golden["base/spliced_attention_mask"])
