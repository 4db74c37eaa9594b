"""Tests for policies/tinyvla/released/importer.py, against the released code's numbers."""

import json
import shutil

import pytest
import torch
from released_folders import (
    INTERFACE,
    PEFT,
    condition,
    numbers,
    pixels,
    run_weights,
    settings,
    stored,
    the_run,
    words,
    write_base,
    write_merged,
    write_run,
)
from safetensors.torch import load_file, save_file

from tinyvla_gym.errors import CheckpointError
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig, build_backbone
from tinyvla_gym.policies.tinyvla.lora import merge_lora
from tinyvla_gym.policies.tinyvla.released.franka import franka_interface
from tinyvla_gym.policies.tinyvla.released.importer import import_backbone, import_run


@pytest.fixture(scope="module")
def golden():
    return numbers()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Base, run and merged run; not to be changed."""
    place = tmp_path_factory.mktemp("released")
    write_base(place / "base")
    write_run(place / "run")
    write_merged(place / "merged")
    return place


@pytest.fixture
def run(whole, tmp_path):
    """A run of one's own, to be damaged."""
    return shutil.copytree(whole / "run", tmp_path / "run")


def same(got, wanted, atol):
    torch.testing.assert_close(got, wanted, rtol=0, atol=atol)


FOLDERS = ["run", "run/checkpoint-20", "merged"]


@pytest.fixture(scope="module", params=FOLDERS)
def policy(request, whole):
    return the_run(whole / request.param)


@torch.no_grad()
def test_a_base_reads_as_it_did(whole, golden) -> None:
    found = import_backbone(whole / "base", tokenizer="bytes")
    backbone = build_backbone(found.within(TinyVLAConfig()), 2).eval()
    found.load_into(backbone)

    tokens = backbone.understand(pixels(golden, 2), words(golden))

    same(tokens.features, golden["base/last_hidden"], 1e-5)
    same(backbone.eyes(golden["in/images"]), golden["base/vision_features_cam0"], 1e-5)
    same(backbone.look(pixels(golden, 1)), golden["base/image_tokens_cam0"], 1e-5)


@torch.no_grad()
@pytest.mark.parametrize(
    ("cameras", "name"), [(1, "last_hidden_1cam"), (2, "last_hidden"), (3, "last_hidden_3cam")]
)
def test_a_run_reads_as_it_did(cameras, name, policy, golden) -> None:
    """The released adapters unmerged agree too."""
    tokens = policy.model.backbone.understand(pixels(golden, cameras), words(golden))

    same(tokens.features, golden[f"run/{name}"], 1e-5)
    if cameras == 2:
        same(tokens.features, golden["run/last_hidden_unmerged_adapter"], 1e-5)


@torch.no_grad()
@pytest.mark.parametrize("coarse", [True, False], ids=["legacy", "fp32"])
@pytest.mark.parametrize("cameras", [1, 2, 3])
def test_a_run_samples_what_it_sampled(cameras, coarse, whole, golden) -> None:
    model = the_run(whole / "run", coarse_levels=coarse).model
    wanted = golden[f"run/eval_actions_{cameras}cam_{'legacy' if coarse else 'fp32'}"]

    actions = model.sample(
        condition(model, golden, cameras, slice(0, 1)), golden["run/eval_initial_noise"]
    )

    same(actions, wanted, 2e-4)


@torch.no_grad()
def test_padding_changes_nothing_unless_the_released_pooling_is_asked_for(whole, golden) -> None:
    """The second sentence is padded; its noise was predicted with padding pooled."""
    given = golden["run/train_noisy_actions"], golden["run/train_timesteps"]
    legacy = the_run(whole / "run", pool_padding=True, coarse_levels=False).model
    ours = the_run(whole / "run", coarse_levels=False).model

    pooled_alike = legacy.head.denoiser(*given, condition(legacy, golden, 2))
    masked = ours.head.denoiser(*given, condition(ours, golden, 2))
    alone = ours.sample(condition(ours, golden, 2, [1]), golden["run/eval_initial_noise"])

    same(pooled_alike, golden["run/train_noise_pred_fp32"], 1e-5)
    assert (masked[1] - pooled_alike[1]).abs().max() > 1e-3
    same(masked[0], pooled_alike[0], 1e-5)
    same(alone, golden["run/eval_actions_2cam_sample1_nopad_fp32"], 2e-4)


def test_a_runs_statistics_are_its_own(policy, golden) -> None:
    physical = policy.normalizer.to_physical(golden["run/eval_actions_2cam_fp32"].numpy())
    normal = policy.normalizer.state(golden["run/raw_states"].numpy())

    same(torch.tensor(physical), golden["run/unnormalised_eval_actions_2cam_fp32"], 1e-6)
    same(torch.tensor(normal), golden["run/normalised_states"], 1e-6)


def test_all_of_a_runs_folders_hold_the_same_policy(whole) -> None:
    first, *others = (the_run(whole / name).model.state_dict() for name in FOLDERS)

    for other in others:
        assert first.keys() == other.keys()
        for name, tensor in first.items():
            torch.testing.assert_close(other[name], tensor, rtol=0, atol=1e-6)


def test_a_run_that_is_saved_loads_as_it_was(policy, tmp_path) -> None:
    policy.save_pretrained(tmp_path / "ours")

    again = type(policy).from_pretrained(tmp_path / "ours")

    assert again.spec == policy.spec
    assert again.config == policy.config
    for name, tensor in again.model.state_dict().items():
        assert torch.equal(tensor, policy.model.state_dict()[name]), name


def test_the_config_says_what_the_weights_show(policy) -> None:
    config = policy.config

    assert (config.widths, config.step_size, config.kernel) == ((8, 16, 32), 32, 5)
    assert (config.horizon, config.fusion_layers, config.coarse_levels) == (16, 1, True)
    assert config.backbone_options["prompt"] == "training"


def test_a_run_without_the_frozen_part_wants_its_base(run, whole) -> None:
    own = {f"{PEFT}{name}": tensor for name, tensor in stored("run").items()}
    torch.save(own, run / "non_lora_trainables.bin")

    with pytest.raises(CheckpointError, match="adapts no weight of the base"):
        the_run(run)
    joined, alone = the_run(run, base=whole / "base"), the_run(whole / "run")
    for name, tensor in alone.model.state_dict().items():
        assert torch.equal(tensor, joined.model.state_dict()[name]), name


@torch.no_grad()
def test_kept_adapters_say_the_same_as_merged_ones(whole, golden, tmp_path) -> None:
    """Also after saving, and after merging them by our own means."""
    merged, kept = (the_run(whole / "run", keep_adapters=keep) for keep in (False, True))
    kept.save_pretrained(tmp_path / "kept")
    read = type(kept).from_pretrained(tmp_path / "kept")
    later = type(kept).from_pretrained(tmp_path / "kept")
    merge_lora(later.model)
    given = golden["run/eval_initial_noise"]

    wanted = condition(merged.model, golden, 2)
    for policy in (kept, read, later):
        same(condition(policy.model, golden, 2), wanted, 1e-5)
        actions = policy.model.sample(wanted[:1], given)
        same(actions, merged.model.sample(wanted[:1], given), 1e-5)
    names = [name for name in load_file(tmp_path / "kept" / "model.safetensors") if "lora_" in name]
    assert len(names) == len(stored("adapter"))
    assert json.loads((tmp_path / "kept" / "config.json").read_text())["lora"]["rank"] == 4


def test_a_merged_run_has_no_adapters_to_keep(whole) -> None:
    with pytest.raises(CheckpointError, match=r"no adapter_config\.json: there are no adapters"):
        the_run(whole / "merged", keep_adapters=True)


def test_newer_layouts_are_read_too(run, whole) -> None:
    """Adapters in safetensors, peft's wrappers in names, a folder where a file was."""
    adapters = torch.load(run / "adapter_model.bin", weights_only=True)
    save_file(adapters, run / "adapter_model.safetensors")
    (run / "adapter_model.bin").unlink()
    held = torch.load(run / "non_lora_trainables.bin", weights_only=True)
    wrapped = {
        name.replace("dense.weight", "dense.base_layer.weight"): tensor
        for name, tensor in held.items()
    }
    (run / "non_lora_trainables.bin").unlink()
    (run / "non_lora_trainables.bin").mkdir()
    torch.save(wrapped, run / "non_lora_trainables.bin" / "pytorch_model.bin")

    got, wanted = the_run(run).model.state_dict(), the_run(whole / "run").model.state_dict()

    assert all(torch.equal(got[name], tensor) for name, tensor in wanted.items())


def test_old_buffers_are_left_behind(whole, tmp_path) -> None:
    folder = shutil.copytree(whole / "base", tmp_path / "base")
    buffers = {
        "gpt_neox.layers.0.attention.bias": torch.ones(1, 1, 4, 4),
        "gpt_neox.layers.0.attention.masked_bias": torch.tensor(-1e9),
        "gpt_neox.layers.1.attention.rotary_emb.inv_freq": torch.ones(2),
        "gpt_neox.vision_tower.vision_model.embeddings.position_ids": torch.arange(17)[None],
    }
    save_file({**stored("base"), **buffers}, folder / "model.safetensors")

    found = import_backbone(folder, tokenizer="bytes")

    assert len(found.weights) == len(stored("base")) - 1  # the language head


def shard(folder):
    """Splits a base's weights into two files with an index."""
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    index = {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-{number:05}-of-00002.safetensors"
        save_file({name: weights[name] for name in part}, folder / file)
        index |= dict.fromkeys(part, file)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    return folder


def test_shards_are_joined(whole, tmp_path) -> None:
    folder = shard(shutil.copytree(whole / "base", tmp_path / "base"))

    got = import_backbone(folder, tokenizer="bytes").weights

    wanted = import_backbone(whole / "base", tokenizer="bytes").weights
    assert all(torch.equal(got[name], tensor) for name, tensor in wanted.items())


SECOND = "model-00002-of-00002.safetensors"


def cut(path, frac=0.5):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(frac * len(whole))])


DAMAGE = {
    "a missing shard": (lambda f: (f / SECOND).unlink(), f"it has no {SECOND}; fetch or copy"),
    "a truncated shard": (lambda f: cut(f / SECOND), f"{SECOND} is damaged or cut short, fetch"),
    "a poorer shard": (
        lambda f: save_file({"a": torch.ones(1)}, f / SECOND),
        f"{SECOND} lacks .*, which model.safetensors.index.json promises",
    ),
    "a truncated index": (
        lambda f: cut(f / "model.safetensors.index.json"),
        "index.json is damaged, fetch or copy it again",
    ),
    "a missing index": (
        lambda f: (f / "model.safetensors.index.json").unlink(),
        "it has no model.safetensors or .bin",
    ),
    "a truncated config": (lambda f: cut(f / "config.json"), "config.json is damaged"),
    "a missing config": (lambda f: (f / "config.json").unlink(), "it has no config.json"),
}


@pytest.mark.parametrize(("damage", "complaint"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_base_is_named(damage, complaint, whole, tmp_path) -> None:
    folder = shard(shutil.copytree(whole / "base", tmp_path / "base"))
    damage(folder)

    with pytest.raises(CheckpointError, match=complaint):
        import_backbone(folder, tokenizer="bytes")


def changed(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


NAME = "gpt_neox.final_layer_norm.bias"
STRANGE = {
    "missing": (lambda w: w.pop(NAME), "missing weights: body.final_layer_norm.bias; unexpected"),
    "unexpected": (lambda w: w.update(wings=torch.ones(1)), "unexpected weights: wings"),
    "misshaped": (lambda w: w.update({NAME: torch.ones(3)}), r"final_layer_norm.bias \(3,\)"),
}


@pytest.mark.parametrize(("change", "complaint"), STRANGE.values(), ids=STRANGE)
def test_a_bases_strange_weights_are_named(change, complaint, whole, tmp_path) -> None:
    folder = shutil.copytree(whole / "base", tmp_path / "base")
    changed(folder, change)

    with pytest.raises(CheckpointError, match=complaint):
        import_backbone(folder, tokenizer="bytes")


CONFIGS = {
    "another model": ({"model_type": "llama"}, "has model_type 'llama'; the authors' folders"),
    "another head": ({"action_head_type": "act"}, "only droid_diffusion runs can be converted"),
    "another body": ({"action_dim": 14}, "action_dim=14, the interface has 10 entries: tcp_x_m"),
    "no eyes": ({"vision_config": {}}, "config.json has no 'vision_tower'"),
    "another width": ({"hidden_size": 32}, "misshaped weights"),
    "more layers": ({"num_hidden_layers": 3}, r"missing weights: backbone\.body\.layers\.2"),
}


@pytest.mark.parametrize(("facts", "complaint"), CONFIGS.values(), ids=CONFIGS)
def test_a_runs_strange_config_is_named(facts, complaint, run) -> None:
    path = run / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))

    with pytest.raises(CheckpointError, match=complaint):
        the_run(run)


ADAPTERS = {
    "more than LoRA": ({"use_dora": True}, "asks for more than plain LoRA: use_dora"),
    "no rank": ({"r": 0}, "no sound lora_alpha and r"),
    "another method": ({"peft_type": "IA3"}, "more than plain LoRA: peft_type"),
}


@pytest.mark.parametrize(("facts", "complaint"), ADAPTERS.values(), ids=ADAPTERS)
def test_strange_adapters_are_refused(facts, complaint, run) -> None:
    (run / "adapter_config.json").write_text(json.dumps({**settings()["adapter_config"], **facts}))

    with pytest.raises(CheckpointError, match=complaint):
        the_run(run)


def test_half_an_adapter_is_refused(run) -> None:
    adapters = torch.load(run / "adapter_model.bin", weights_only=True)
    adapters.pop(next(name for name in adapters if "lora_B" in name))
    torch.save(adapters, run / "adapter_model.bin")

    with pytest.raises(CheckpointError, match="only half of the adapter of backbone"):
        the_run(run)


LAYER = "gpt_neox.layers.0.mlp.dense_h_to_4h"


def test_a_layer_that_should_have_an_adapter_and_has_none_is_named(run) -> None:
    adapters = torch.load(run / "adapter_model.bin", weights_only=True)
    kept = {name: tensor for name, tensor in adapters.items() if LAYER not in name}
    torch.save(kept, run / "adapter_model.bin")

    with pytest.raises(CheckpointError, match=f"names {LAYER} among its target_modules, and adap"):
        the_run(run)


def test_adapters_without_their_settings_are_refused(run) -> None:
    (run / "adapter_config.json").unlink()

    with pytest.raises(CheckpointError, match=r"it has adapter_model.bin and no adapter_config"):
        the_run(run)


def test_adapters_that_nothing_accounts_for_are_named(whole, tmp_path) -> None:
    """A checkpoint's file has its adapters once more, beside the settings; here those are gone."""
    run = shutil.copytree(whole / "run", tmp_path / "run")
    for file in ("adapter_config.json", "adapter_model.bin"):
        (run / "checkpoint-20" / file).unlink()

    with pytest.raises(CheckpointError, match=r"an adapter, base_model\.model\.gpt_neox.*lora_A"):
        the_run(run / "checkpoint-20")


@pytest.mark.parametrize("half", ["lora_A.weight", "lora_embedding_A"])
def test_an_adapter_beside_those_that_were_read_is_named(half, run) -> None:
    held = torch.load(run / "non_lora_trainables.bin", weights_only=True)
    held[f"{PEFT}gpt_neox.embed_in.{half}"] = torch.ones(4, 4)
    torch.save(held, run / "non_lora_trainables.bin")

    with pytest.raises(CheckpointError, match=rf"embed_in\.{half}, which no adapter_config\.json"):
        the_run(run)


def test_an_adapter_in_a_base_is_named(whole, run, tmp_path) -> None:
    base = shutil.copytree(whole / "base", tmp_path / "base")
    changed(base, lambda weights: weights.update({f"{LAYER}.lora_A.weight": torch.ones(4, 64)}))

    for read in (lambda: import_backbone(base, tokenizer="bytes"), lambda: the_run(run, base=base)):
        with pytest.raises(CheckpointError, match=rf"base cannot be used: .*{LAYER}\.lora_A"):
            read()


def test_statistics_of_another_body_are_refused(run) -> None:
    arms = franka_interface(("left",))
    one_less = type(arms)(
        **{**vars(arms), "state": arms.state[:-1]}
        | {"state_low": arms.state_low[:-1], "state_high": arms.state_high[:-1]}
    )

    with pytest.raises(CheckpointError, match=r"dataset_stats.pkl is of another body: its qpos_m"):
        import_run(run, one_less, tokenizer="bytes")


def test_a_missing_vocabulary_is_an_error_with_a_remedy(run) -> None:
    with pytest.raises(CheckpointError, match=r"it has no tokenizer\.json.*Copy it from the base"):
        import_run(run, INTERFACE)


def test_a_base_is_no_run(whole) -> None:
    with pytest.raises(CheckpointError, match=r"has no dataset_stats\.pkl"):
        the_run(whole / "base")


def test_the_runs_weights_are_the_merged_ones(whole) -> None:
    """``W + alpha / r B A``, to the last bit."""
    merged = load_file(whole / "merged" / "model.safetensors")
    name = "gpt_neox.layers.0.attention.dense.weight"

    got = the_run(whole / "run").model.backbone.body.layers[0].attention.dense.weight.detach()

    assert torch.equal(got, merged[name])
    assert not torch.equal(got, run_weights()[name])
