"""Tests for policies/tinyvla/vlm.py and hub_models.py, on tiny models of several families."""

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel
from transformers import AutoModelForImageTextToText as Auto

from tinyvla_gym.errors import CheckpointError, ConfigError, InstructionError, UnknownNameError
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig, build_backbone
from tinyvla_gym.policies.tinyvla.hub_models import import_vlm
from tinyvla_gym.policies.tinyvla.lora import add_lora
from tinyvla_gym.policies.tinyvla.vlm import VlmBackbone
from tinyvla_gym.policies.tinyvla.vlm_families import handed_over

TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "vocab_size": 300,
    "head_dim": 8,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "max_position_embeddings": 128,
}
EYES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": 56,
    "patch_size": 14,
}
QWEN_EYES = {"depth": 2, "hidden_size": 32, "num_heads": 4, "patch_size": 14}
QWEN_IDS = {"video_token_id": 298, "vision_start_token_id": 297, "vision_end_token_id": 296}
FAMILIES = {
    "smolvlm": {
        "scale_factor": 2,
        "text_config": {"model_type": "llama", **TEXT},
        "vision_config": EYES,
    },
    "paligemma": {
        "text_config": {"model_type": "gemma", **TEXT},
        "vision_config": {
            **EYES,
            "model_type": "siglip_vision_model",
            "projection_dim": 32,
            "vision_use_head": False,
        },
        "projection_dim": 32,
    },
    "gemma3": {
        "boi_token_index": 297,
        "eoi_token_index": 296,
        "mm_tokens_per_image": 4,
        "text_config": {
            **TEXT,
            "model_type": "gemma3_text",
            "query_pre_attn_scalar": 8,
            "sliding_window": 16,
        },
        "vision_config": {**EYES, "model_type": "siglip_vision_model", "vision_use_head": False},
    },
    "llava": {
        "text_config": {"model_type": "llama", **TEXT},
        "vision_config": {**EYES, "model_type": "clip_vision_model"},
    },
    "internvl": {
        "downsample_ratio": 0.5,
        "text_config": {"model_type": "qwen2", **TEXT},
        "vision_config": {**EYES, "image_size": [56, 56], "patch_size": [14, 14]},
    },
    "qwen2_5_vl": {
        **QWEN_IDS,
        "text_config": {
            **TEXT,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [1, 1, 2],
            },
        },
        "vision_config": {
            **QWEN_EYES,
            "out_hidden_size": 32,
            "intermediate_size": 48,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
    },
}
PICTURES = [torch.randint(0, 256, (2, 30, 40, 3), dtype=torch.uint8) for _ in range(2)]


def facts(family):
    return {"model_type": family, "image_token_id": 299, **FAMILIES[family]}


def a_backbone(family="smolvlm", cameras=2, **changes):
    torch.manual_seed(0)
    backbone = VlmBackbone(cameras, **{"vlm": facts(family), "side": 56, **changes}).eval()
    for weight in backbone.parameters():  # also those that begin at 0, such as Gemma's projector
        if not weight.any():
            nn.init.normal_(weight, std=0.1)
    return backbone


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_of_every_family_looks_and_reads(family) -> None:
    backbone = a_backbone(family, layers=2)
    prompts = backbone.tokenize(["go", "open the drawer"])

    tokens = backbone(PICTURES, prompts)
    alone = backbone([picture[:1] for picture in PICTURES], prompts[:1])
    other = backbone([PICTURES[0], 255 - PICTURES[1]], prompts)

    assert tokens.features.shape[-1] == backbone.width == 32
    assert tokens.mask.sum(1).diff() == len("open the drawer") - len("go")
    torch.testing.assert_close(tokens.pooled()[:1], alone.pooled(), rtol=0, atol=1e-5)
    assert (other.pooled() - tokens.pooled()).abs().max() > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_beside_adapters_the_projector_learns_in_full(family) -> None:
    model = nn.Module()
    model.backbone = a_backbone(family, layers=1)
    projector = model.backbone.projector

    add_lora(model, rank=2, alpha=4.0)

    whole = dict(projector.named_parameters())
    assert whole
    assert not any("lora_" in name for name in whole)
    free = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert len(free) - len(whole) == sum("lora_" in name for name in free) > 10


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "llava"])
def test_every_weight_of_a_truncated_model_learns(family) -> None:
    backbone = a_backbone(family, layers=1).train()

    backbone(PICTURES, backbone.tokenize(["go", "stop"])).features.sum().backward()

    assert all(weight.grad is not None for weight in backbone.parameters())


@torch.no_grad()
def test_a_truncated_model_is_the_lower_part_of_the_whole() -> None:
    """Its last hidden state before the final norm is the whole model's hidden state there."""
    whole, lower = a_backbone(hidden=2), a_backbone(layers=2)
    lower.load_state_dict(whole.state_dict(), strict=False)
    lower.vlm.text_model.norm = torch.nn.Identity()
    prompts = whole.tokenize(["go", "stop"])

    wanted, got = whole(PICTURES, prompts).features, lower(PICTURES, prompts).features

    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-5)


def test_qwens_patches_are_those_of_its_own_processor() -> None:
    """Patches that will be merged stand together: two by two, row by row."""
    config = AutoConfig.for_model(**facts("qwen2_5_vl"))
    pixels = torch.arange(56).expand(1, 1, 3, 56, 56).float()  # each pixel is its column

    given = handed_over(pixels, config, frozenset({"image_grid_thw"}))

    firsts = given["pixel_values"][:, 0]  # the top left pixel of each patch
    assert firsts.tolist() == [0, 14, 0, 14, 28, 42, 28, 42] * 2
    assert given["image_grid_thw"].tolist() == [[1, 4, 4]]


@torch.no_grad()
@pytest.mark.parametrize(("family", "pictures_are"), [("gemma3", 1), ("paligemma", 0)])
def test_pictures_are_told_from_words_as_the_family_does(family, pictures_are) -> None:
    backbone, given = a_backbone(family), {}
    backbone.vlm.register_forward_pre_hook(
        lambda _, args, kwargs: given.update(kwargs), with_kwargs=True
    )

    backbone(PICTURES, backbone.tokenize(["go", "stop"]))

    pictures = given["input_ids"] == 299
    assert pictures.sum(1).tolist() == [2 * backbone._per_picture] * 2
    assert torch.equal(given["token_type_ids"] == 1, pictures & bool(pictures_are))


def test_gemmas_pictures_stand_in_their_frames() -> None:
    """Tokens of one picture see each other, and without a frame two pictures would be one."""
    backbone = a_backbone("gemma3")

    ids, _ = backbone._spliced(backbone.tokenize(["go"]), 2)

    assert ids[0, :8].tolist() == [297, 299, 299, 296] * 2


@pytest.mark.parametrize("family", ["llava_next", "llava_onevision"])
def test_a_family_that_needs_more_than_pictures_is_refused(family) -> None:
    with pytest.raises(ConfigError, match=f"{family} needs image_sizes beside the pictures.*llava"):
        a_backbone(vlm={**facts("llava"), "model_type": family})


def test_a_family_without_tokens_of_pictures_is_refused() -> None:
    tower = {**EYES, "num_hidden_layers": 1}
    git = {"model_type": "git", **TEXT, "vision_config": tower}

    with pytest.raises(ConfigError, match="git does not turn pictures into tokens of a prompt"):
        a_backbone(vlm=git)


IMPOSSIBLE = {
    "no such model": ({"vlm": {"model_type": "bert"}}, "no image-text-to-text model 'bert'"),
    "no layer": ({"layers": 0}, "layers=0 must be from 1 to 3"),
    "too many layers": ({"layers": 4}, "layers=4 must be from 1 to 3"),
    "no hidden state": ({"hidden": 4}, "hidden=4 is none of 4 hidden states"),
    "no instruction": ({"after": "go"}, "no place for the {instruction}"),
}


@pytest.mark.parametrize(("changes", "complaint"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_parts_that_do_not_fit_are_refused(changes, complaint) -> None:
    with pytest.raises((ConfigError, UnknownNameError), match=complaint):
        a_backbone(**changes)


def test_a_side_that_is_no_multiple_of_the_patches_is_refused() -> None:
    backbone = a_backbone("qwen2_5_vl", side=42)

    with pytest.raises(ConfigError, match="side=42 must be a multiple of 28"):
        backbone(PICTURES, backbone.tokenize(["go", "go"]))


def test_more_than_the_context_holds_is_refused() -> None:
    backbone = a_backbone(cameras=20)

    with pytest.raises(InstructionError, match="20 cameras make 80 tokens"):
        backbone(PICTURES * 10, backbone.tokenize(["a" * 50] * 2))


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(1)
    Auto.from_config(AutoConfig.for_model(**facts("smolvlm"))).save_pretrained(tmp_path / "vlm")
    return tmp_path / "vlm"


@torch.no_grad()
def test_a_saved_model_is_imported_and_reads_the_same(saved) -> None:
    found = import_vlm(saved, layers=3, hidden=1, tokenizer="bytes")
    backbone = build_backbone(found.within(TinyVLAConfig()), 2).eval()
    found.load_into(backbone)
    original = AutoModel.from_pretrained(saved).eval()

    for name, tensor in original.state_dict().items():
        assert torch.equal(backbone.vlm.state_dict()[name], tensor), name
    assert found.options["side"] == 56


def test_a_saved_model_that_is_cut_short_is_named(saved) -> None:
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:2000])

    with pytest.raises(CheckpointError, match="missing, damaged or cut short; fetch them again"):
        import_vlm(saved, tokenizer="bytes")
