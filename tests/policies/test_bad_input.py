"""Whatever is wrong with what is given: the error names the file, the key and what helps."""

import json
import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from fakes import an_observation
from pretrained_models import TINY
from released_folders import INTERFACE, the_run, write_base, write_run
from safetensors.torch import load_file, save_file
from tiny_models import CONFIG, a_policy
from transformers import AutoConfig, AutoModelForImageTextToText

from tinyvla_gym.errors import TinyVLAError
from tinyvla_gym.policies.load import load_policy
from tinyvla_gym.policies.tinyvla.config import build
from tinyvla_gym.policies.tinyvla.hub_models import import_vlm
from tinyvla_gym.policies.tinyvla.llava_pythia.sizes import TOY
from tinyvla_gym.policies.tinyvla.pretrained import load_backbone, save_backbone
from tinyvla_gym.policies.tinyvla.released.franka import franka_interface
from tinyvla_gym.policies.tinyvla.released.importer import import_backbone, import_run

SHARD = "model-00002-of-00002.safetensors"
LLAVA = replace(CONFIG, backbone="llava_pythia", backbone_options=TOY)


def change_json(path, change):
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))


def change_weights(path, change):
    weights = load_file(path)
    change(weights)
    save_file(weights, path)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def sharded_base(place):
    """A released base in two files."""
    folder = write_base(place / "base")
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    parts = {"model-00001-of-00002.safetensors": names[::2], SHARD: names[1::2]}
    for file, inside in parts.items():
        save_file({name: weights[name] for name in inside}, folder / file)
    index = {name: file for file, inside in parts.items() for name in inside}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    (folder / "model.safetensors").unlink()
    return folder


def a_vlm():
    kind = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    config = AutoConfig.for_model(
        "smolvlm",
        vision_config={**kind, "num_attention_heads": 2, "image_size": 56, "patch_size": 14},
        text_config={"model_type": "llama", **kind, **heads, "vocab_size": 300},
        image_token_id=290,
    )
    return AutoModelForImageTextToText.from_config(config)


def sharded_vlm(place):
    """A model of transformers in several files; gives the second one's."""
    a_vlm().save_pretrained(place / "vlm", max_shard_size="20KB")
    return sorted((place / "vlm").glob("model-*.safetensors"))[1]


def saved(place, config=CONFIG):
    a_policy(config=config).save_pretrained(place / "ours")
    return place / "ours"


def saved_backbone(place):
    backbone = build(LLAVA, INTERFACE).backbone
    save_backbone(place / "ours", "llava_pythia", TOY, backbone)
    return place / "ours"


def a_truncated_shard(place):
    cut(sharded_base(place) / SHARD)
    import_backbone(place / "base", tokenizer="bytes")


def a_missing_shard(place):
    (sharded_base(place) / SHARD).unlink()
    import_backbone(place / "base", tokenizer="bytes")


def a_truncated_shard_of_transformers(place):
    shard = sharded_vlm(place)
    cut(shard.rename(shard.with_name(SHARD)))
    change_json(
        shard.with_name("model.safetensors.index.json"),
        lambda index: index["weight_map"].update(
            {k: SHARD for k, file in index["weight_map"].items() if file == shard.name}
        ),
    )
    import_vlm(place / "vlm", tokenizer="bytes")


def a_missing_shard_of_transformers(place):
    shard = sharded_vlm(place)
    change_json(
        shard.with_name("model.safetensors.index.json"),
        lambda index: index["weight_map"].update(
            {k: SHARD for k, file in index["weight_map"].items() if file == shard.name}
        ),
    )
    import_vlm(place / "vlm", tokenizer="bytes")


def a_missing_key_of_transformers(place):
    a_vlm().save_pretrained(place / "vlm")
    key = "model.text_model.norm.weight"
    change_weights(place / "vlm" / "model.safetensors", lambda held: held.pop(key))
    import_vlm(place / "vlm", tokenizer="bytes")


def a_missing_key_of_a_base(place):
    key = "gpt_neox.final_layer_norm.bias"
    change_weights(write_base(place / "base") / "model.safetensors", lambda held: held.pop(key))
    import_backbone(place / "base", tokenizer="bytes")


def another_base_than_the_runs(place):
    strange = {"wings": torch.ones(1)}
    base = write_base(place / "base")
    change_weights(base / "model.safetensors", lambda held: held.update(strange))
    the_run(write_run(place / "run"), base=base)


def a_null_among_a_bases_settings(place):
    change_json(write_base(place / "base") / "config.json", lambda f: f.update(hidden_size=None))
    import_backbone(place / "base", tokenizer="bytes")


def a_null_among_a_runs_settings(place):
    change_json(write_run(place / "run") / "config.json", lambda f: f.update(chunk_size=None))
    the_run(place / "run")


def a_null_among_colours(place):
    path = write_base(place / "base") / "preprocessor_config.json"
    change_json(path, lambda facts: facts.update(image_mean=None))
    import_backbone(place / "base", tokenizer="bytes")


def a_vlm_without_a_picture_size(place):
    a_vlm().save_pretrained(place / "vlm")
    change_json(place / "vlm" / "config.json", lambda facts: facts.update(vision_config=None))
    import_vlm(place / "vlm", tokenizer="bytes")


def a_missing_key(place):
    change_weights(saved(place) / "model.safetensors", lambda held: held.pop("norm.weight"))
    load_policy(place / "ours")


def an_unexpected_key(place):
    strange = {"wings": torch.ones(1)}
    change_weights(saved(place) / "model.safetensors", lambda held: held.update(strange))
    load_policy(place / "ours")


def a_backbones_missing_key(place):
    key = "projector.0.bias"
    change_weights(saved_backbone(place) / "model.safetensors", lambda held: held.pop(key))
    found = load_backbone(place / "ours")
    found.load_into(build(LLAVA, INTERFACE).backbone)


def a_chunk_that_the_u_net_cannot_take(place):
    path = saved(place) / "config.json"
    change_json(path, lambda facts: facts["model"].update(horizon=10, execute=5))
    load_policy(place / "ours")


def a_released_chunk_that_the_u_net_cannot_take(place):
    change_json(write_run(place / "run") / "config.json", lambda f: f.update(chunk_size=10))
    the_run(place / "run")


def more_cameras_than_places(place):
    four = franka_interface(("a", "b", "c", "d"), height=56, width=56)
    path = write_run(place / "run") / "config.json"
    change_json(path, lambda facts: facts.update(max_position_embeddings=60))
    import_run(place / "run", four, tokenizer="bytes")


def a_sentence_longer_than_the_context(place):
    policy = load_policy(saved(place, LLAVA))
    policy.model.tokenize(["go on " * 60])


def more_words_than_nano_reads(place):
    load_policy(saved(place)).plan(an_observation(instruction="go on " * 17))


def more_pieces_than_pretrained_nano_reads(place):
    policy = load_policy(saved(place, TINY))
    policy.plan(an_observation(instruction="go on " * 60))


def statistics_of_another_body(place):
    path = saved(place) / "config.json"
    change_json(path, lambda facts: facts["normalizer"]["state"].pop("tcp_x_m"))
    load_policy(place / "ours")


def released_statistics_of_another_body(place):
    two_arms = {"qpos_mean": torch.zeros(14), "qpos_std": torch.ones(14)}
    actions = {"action_min": -torch.ones(20), "action_max": torch.ones(20)}
    path = write_run(place / "run") / "dataset_stats.pkl"
    path.write_bytes(pickle.dumps({**two_arms, **actions}))
    the_run(place / "run")


def a_pickle_that_runs_code(place):
    class Trap:
        def __reduce__(self):
            return Path.touch, (place / "sprung",)

    path = write_run(place / "run") / "dataset_stats.pkl"
    path.write_bytes(pickle.dumps({"action_min": Trap()}))
    the_run(place / "run")


def a_hub_id_without_network(place):
    load_policy("somebody/not-on-this-machine")


@dataclass(frozen=True)
class Case:
    """What an error must name."""

    file: str
    key: str
    remedy: str


CASES = {
    a_truncated_shard: Case(SHARD, "cut short", "fetch or copy it again"),
    a_missing_shard: Case(SHARD, "it has no", "fetch or copy it again"),
    a_truncated_shard_of_transformers: Case(SHARD, "cut short", "fetch them again"),
    a_missing_shard_of_transformers: Case(SHARD, "it has no", "fetch them again"),
    a_missing_key_of_transformers: Case(
        "model.safetensors", "missing weights: text_model.norm.weight", "Fetch or copy both again"
    ),
    a_missing_key_of_a_base: Case(
        "model.safetensors", "body.final_layer_norm.bias", "Fetch or copy both again"
    ),
    another_base_than_the_runs: Case(
        "non_lora_trainables.bin", "unexpected weights: wings", "the base that it began from?"
    ),
    a_null_among_a_bases_settings: Case("config.json", "null for 'hidden_size'", "copy it again"),
    a_null_among_a_runs_settings: Case("config.json", "chunk_size=None", "say there how many"),
    a_null_among_colours: Case("preprocessor_config.json", "'image_mean'", "copy it again"),
    a_vlm_without_a_picture_size: Case("config.json", "no picture size", "say with side"),
    a_missing_key: Case("model.safetensors", "missing weights: norm.weight", "copy it again"),
    an_unexpected_key: Case("model.safetensors", "unexpected weights: wings", "copy it again"),
    a_backbones_missing_key: Case("model.safetensors", "projector.0.bias", "copy it again"),
    a_chunk_that_the_u_net_cannot_take: Case("config.json", "horizon=10", "a multiple of 4"),
    a_released_chunk_that_the_u_net_cannot_take: Case(
        "config.json", "chunk_size=10", "must be a multiple of 4"
    ),
    more_cameras_than_places: Case("places for 60", "4 cameras make 64 tokens", "Use 1 to 3"),
    a_sentence_longer_than_the_context: Case("go on", "places for", "Use a shorter sentence"),
    more_words_than_nano_reads: Case("go on", "34 words", "Use a shorter sentence"),
    more_pieces_than_pretrained_nano_reads: Case("go on", "362 pieces", "Use a shorter sentence"),
    statistics_of_another_body: Case("config.json", "tcp_x_m", "Use the statistics of the data"),
    released_statistics_of_another_body: Case(
        "dataset_stats.pkl", "qpos_mean has shape (14,)", "Name the interface that the data had"
    ),
    a_pickle_that_runs_code: Case("dataset_stats.pkl", "Path.touch", "with nothing else in it"),
    a_hub_id_without_network: Case(
        "somebody/not-on-this-machine", "cannot be fetched from the hub", "Is the network up"
    ),
}


@pytest.mark.parametrize("mistake", CASES, ids=lambda mistake: mistake.__name__)
def test_an_error_names_the_file_the_key_and_what_helps(mistake, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    wanted = CASES[mistake]

    with pytest.raises(TinyVLAError) as failure:
        mistake(tmp_path)

    said = str(failure.value)
    for words in (wanted.file, wanted.key, wanted.remedy):
        assert words in said, said
    assert len(said.splitlines()) <= 5
    assert not (tmp_path / "sprung").exists()
