"""Tests for policies/openvla/, on a network with a few thousand weights."""

import json
from dataclasses import replace

import huggingface_hub
import numpy as np
import pytest
import torch
from fakes import INTERFACE, an_observation
from safetensors.torch import load_file, save_file

from tinyvla_gym.contracts import check_policy
from tinyvla_gym.errors import CheckpointError, ConfigError, UnknownNameError
from tinyvla_gym.policies.openvla.actions import CENTRES, ActionRange, to_normal
from tinyvla_gym.policies.openvla.model import OPENVLA_7B, OpenVLA, Sizes
from tinyvla_gym.policies.openvla.policy import OpenVLAPolicy
from tinyvla_gym.policies.openvla.weights import renamed

GRID = {"image_size": 28, "patch_size": 14}
TOWER = {**GRID, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
BODY = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2}
TINY = Sizes(
    dinov2={**TOWER, "num_register_tokens": 4, "mlp_ratio": 2},
    siglip={**TOWER, "intermediate_size": 20, "hidden_act": "gelu"},
    llama={**BODY, "num_attention_heads": 2, "vocab_size": 320, "pad_token_id": None},
    words=300,
)
ARM = replace(INTERFACE, cameras=INTERFACE.cameras[:1])
STATISTICS = {
    "toy": {"action": {"q01": [-2.0, 0.0], "q99": [4.0, 1.0], "mask": [True, False]}},
    "wide": {"action": {"q01": [0.0] * 7, "q99": [1.0] * 7}},
    "bare": {"action": {"min": [0.0, 0.0]}},
}


def seen(**changes):
    observation = an_observation(**changes)
    return {key: value for key, value in observation.items() if key != "image_wrist"}


@pytest.fixture(scope="module")
def policy():
    return OpenVLAPolicy.random(ARM, sizes=TINY)


def theirs(model):
    """A model's weights under the names, and in the pieces, of the authors' files."""
    told = {}
    for name, tensor in model.state_dict().items():
        told.update(_their_name(name, tensor, model.state_dict()))
    told["vision_backbone.fused_featurizer.attn_pool.latent"] = torch.zeros(1, 1, 16)
    # Theirs gives the class token no place; whatever ours has is added to the token itself.
    places = model.dinov2.embeddings.position_embeddings
    told["vision_backbone.featurizer.cls_token"] = model.dinov2.embeddings.cls_token + places[:, :1]
    return {name: tensor.clone().contiguous() for name, tensor in told.items()}


SWAPS = [
    (r"body.", "language_model."),
    ("projector.0", "projector.fc1"),
    ("projector.2", "projector.fc2"),
    ("projector.4", "projector.fc3"),
    ("dinov2.", "vision_backbone.featurizer."),
    ("siglip.", "vision_backbone.fused_featurizer."),
    ("embeddings.patch_embeddings.projection", "patch_embed.proj"),
    ("embeddings.patch_embedding", "patch_embed.proj"),
    ("embeddings.cls_token", "cls_token"),
    ("embeddings.register_tokens", "reg_token"),
    ("encoder.layers.", "blocks."),
    ("encoder.layer.", "blocks."),
    ("layer_scale1.lambda1", "ls1.scale_factor"),
    ("layer_scale2.lambda1", "ls2.scale_factor"),
    ("self_attn.out_proj", "attn.proj"),
    ("attention.o_proj", "attn.proj"),
    ("layer_norm1", "norm1"),
    ("layer_norm2", "norm2"),
    ("post_layernorm", "norm"),
    ("featurizer.layernorm", "featurizer.norm"),
]


def _their_name(name, tensor, state):
    if "mask_token" in name:
        return {}
    if name.endswith("position_embeddings"):
        return {"vision_backbone.featurizer.pos_embed": tensor[:, 1:]}
    if name.endswith("position_embedding.weight"):
        return {"vision_backbone.fused_featurizer.pos_embed": tensor[None]}
    body = name.startswith("body.")
    for letter in "" if body else "qkv":
        for attention in ("attention", "self_attn"):
            piece = f"{attention}.{letter}_proj"
            if piece in name:
                parts = [state[name.replace(piece, f"{attention}.{other}_proj")] for other in "qkv"]
                name, tensor = name.replace(piece, "attn.qkv"), torch.cat(parts)
    for ours, other in SWAPS[:1] if body else SWAPS[1:]:
        name = name.replace(ours, other)
    return {name: tensor}


def write_folder(folder, model):
    folder.mkdir()
    save_file(theirs(model), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"norm_stats": STATISTICS}))
    letters = {"<unk>": 0, "in": 2, **{chr(code): code for code in range(32, 127)}}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": "."},
            "behavior": "Isolated",
            "invert": False,
        },
        "model": {"type": "WordLevel", "vocab": letters, "unk_token": "<unk>"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return folder


def load(folder, statistics="toy"):
    return OpenVLAPolicy.from_pretrained(
        folder, ARM, statistics=statistics, sizes=TINY, dtype=torch.float32
    )


def test_it_keeps_every_promise_of_a_policy(policy) -> None:
    check_policy(policy)
    assert (policy.spec.horizon, policy.spec.noise_shape) == (1, None)


def test_the_default_is_as_large_as_the_released_one() -> None:
    with torch.device("meta"):
        weights = sum(one.numel() for one in OpenVLA(OPENVLA_7B).parameters())

    assert weights == pytest.approx(7.5e9, rel=0.01)


def test_words_said_one_by_one_are_those_that_a_whole_reading_finds_likeliest(policy) -> None:
    model = policy.model
    picture = torch.rand(1, 3, 28, 28)
    prompt = torch.tensor([[1, 20, 30, 40]])

    said = model.say(picture, prompt, 3)

    with torch.no_grad():
        text = model.body.get_input_embeddings()(torch.cat([prompt, said[:, :-1]], dim=1))
        tokens = torch.cat([text[:, :1], model.look(picture), text[:, 1:]], dim=1)
        whole = model.body(inputs_embeds=tokens).logits.argmax(-1)
    torch.testing.assert_close(said, whole[:, -3:])


def test_what_it_sees_and_reads_decides(policy) -> None:
    def look(x_m):
        return policy.model.look(policy._picture(seen(x_m=x_m)["image_front"]))

    assert not torch.allclose(look(-0.9), look(0.9))
    assert policy._prompt("Go") == policy._prompt("go") != policy._prompt("stop")


def test_the_last_word_is_the_lowest_number_and_other_words_are_the_nearest() -> None:
    ids = np.array([31_999, 31_745, 31_744, 5, 32_063])

    np.testing.assert_allclose(to_normal(ids, 32_000), CENTRES[[0, 254, 254, 254, 0]])
    np.testing.assert_allclose(CENTRES[[0, 127, 254]], [-254 / 255, 0, 254 / 255], atol=1e-6)


def test_numbers_become_the_units_of_the_data_save_where_they_are_those() -> None:
    actions = ActionRange.from_statistics(STATISTICS, "toy", ARM.action)

    np.testing.assert_allclose(actions.to_physical(np.float32([[0, 0.5]])), [[1, 0.5]])
    np.testing.assert_allclose(actions.to_physical(np.float32([[-1, -1]])), [[-2, -1]])


@pytest.mark.parametrize(
    ("dataset", "kind", "complaint"),
    [
        ("toi", UnknownNameError, "Did you mean 'toy'"),
        ("wide", ConfigError, "have 7 entries, the interface 2"),
        ("bare", ConfigError, "bare have no quantiles"),
    ],
)
def test_statistics_of_another_robot_are_refused(dataset, kind, complaint) -> None:
    with pytest.raises(kind, match=complaint):
        ActionRange.from_statistics(STATISTICS, dataset, ARM.action)


def test_several_cameras_are_refused() -> None:
    with pytest.raises(ConfigError, match="one camera, the env has 2"):
        OpenVLAPolicy.random(INTERFACE, sizes=TINY)


def test_weights_under_their_released_names_are_all_read(policy, tmp_path) -> None:
    again = load(write_folder(tmp_path / "released", policy.model))

    picture = torch.rand(1, 3, 28, 28)
    prompt = torch.tensor([[1, 20, 30, 40]])
    torch.testing.assert_close(again.model.look(picture), policy.model.look(picture))
    torch.testing.assert_close(
        again.model.say(picture, prompt, 5), policy.model.say(picture, prompt, 5)
    )
    check_policy(again)


def test_a_weight_that_is_missing_or_too_many_is_named(policy, tmp_path) -> None:
    folder = write_folder(tmp_path / "released", policy.model)
    weights = theirs(policy.model)
    weights["stray.weight"] = weights.pop("projector.fc2.bias")
    save_file(weights, folder / "model.safetensors")

    with pytest.raises(
        CheckpointError, match=r"missing weights: projector\.2\.bias; unexpected .*stray"
    ):
        load(folder)


def test_what_helps_against_strange_weights_and_missing_statistics_is_said(
    policy, tmp_path
) -> None:
    folder = write_folder(tmp_path / "released", policy.model)
    weights = load_file(folder / "model.safetensors")
    save_file({**weights, "stray": torch.ones(1)}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors .*stray.*Fetch or copy both"):
        load(folder)

    facts = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**facts, "norm_stats": None}))
    with pytest.raises(CheckpointError, match=r"config\.json has no norm_stats.*fetch it again"):
        load(folder)


def test_an_unknown_name_is_kept_for_the_strict_check() -> None:
    names = ["vision_backbone.featurizer.blocks.0.what.weight", "language_model.x", "y"]

    kept = renamed({name: torch.zeros(1) for name in names})

    assert list(kept) == ["dinov2.encoder.layer.0.what.weight", "body.x", "y"]


def test_without_a_network_the_hub_id_is_named(monkeypatch) -> None:
    def fail(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)

    with pytest.raises(CheckpointError, match=r"openvla/openvla-7b .*hub: no network"):
        load("openvla/openvla-7b")


def test_a_folder_without_facts_is_named(tmp_path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json is missing or damaged"):
        load(tmp_path)


def test_towers_must_read_the_same_patches() -> None:
    with pytest.raises(ConfigError, match=r"\(28, 14\) and \(28, 7\) px"):
        replace(TINY, siglip={**TINY.siglip, "patch_size": 7})
