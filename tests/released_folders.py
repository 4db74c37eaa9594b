"""Folders as TinyVLA's released code leaves them, tiny, with the numbers that it computed.

``golden/llava_pythia_weights.safetensors`` holds the base (``base/``), what a LoRA run has beside
it (``run/``) and its adapters (``adapter/``); ``golden/llava_pythia_numbers.safetensors`` inputs
and outputs: hidden states, pooled samples, losses' noise, all of one float32 run of the released
code, with its bfloat16 time embedding (``legacy``) and without (``fp32``).
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from tinyvla_gym.interface import Interface
from tinyvla_gym.policies.tinyvla.released.franka import franka_interface
from tinyvla_gym.policies.tinyvla.released.importer import import_run

GOLDEN = Path(__file__).parent / "golden"
PEFT = "base_model.model."
CAMERAS = ("images", "images_r", "images_top")
INTERFACE: Interface = franka_interface(("left", "right"), height=56, width=56)


def numbers():
    return load_file(GOLDEN / "llava_pythia_numbers.safetensors")


def settings():
    return json.loads((GOLDEN / "llava_pythia.json").read_text())


def stored(part):
    held = load_file(GOLDEN / "llava_pythia_weights.safetensors")
    return {
        name.removeprefix(f"{part}/"): tensor
        for name, tensor in held.items()
        if name.startswith(f"{part}/")
    }


def write_json(path, facts):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts))


def write_base(folder):
    """A base VLM as on the hub: with its language head, without an action head."""
    write_json(folder / "config.json", settings()["config"])
    write_json(folder / "preprocessor_config.json", settings()["preprocessor_config"])
    save_file(stored("base"), folder / "model.safetensors")
    return folder


def run_weights():
    """All that the run has beside its adapters, with the base's frozen part."""
    frozen = {name: t for name, t in stored("base").items() if name != "embed_out.weight"}
    return {**frozen, **stored("run")}


def write_run(folder):
    """A LoRA run: its end beside its ``checkpoint-20``, whose file has the adapters twice."""
    facts = settings()
    write_json(folder / "config.json", {**facts["config"], **facts["run_config"]})
    (folder / "dataset_stats.pkl").write_bytes((GOLDEN / "dataset_stats.pkl").read_bytes())
    whole = {f"{PEFT}{name}": tensor for name, tensor in run_weights().items()}
    adapters = {f"{PEFT}{name}": tensor for name, tensor in stored("adapter").items()}
    again = {name.replace(".weight", ".default.weight"): t for name, t in adapters.items()}
    for place, non_lora in ((folder, whole), (folder / "checkpoint-20", {**whole, **again})):
        write_json(place / "adapter_config.json", facts["adapter_config"])
        torch.save(adapters, place / "adapter_model.bin")
        torch.save(non_lora, place / "non_lora_trainables.bin")
    write_json(folder / "checkpoint-20" / "preprocessor_config.json", facts["preprocessor_config"])
    return folder


def write_merged(folder):
    """The run's policy saved whole, its adapters added into the weights."""
    facts = settings()
    write_json(folder / "config.json", {**facts["config"], **facts["run_config"]})
    weights, adapters = run_weights(), stored("adapter")
    scale = facts["adapter_config"]["lora_alpha"] / facts["adapter_config"]["r"]
    for name in [name for name in adapters if "lora_A" in name]:
        adapted = name.replace("lora_A.weight", "weight")
        low, high = adapters[name], adapters[name.replace("lora_A", "lora_B")]
        weights[adapted] = weights[adapted] + (high @ low) * scale
    save_file(weights, folder / "model.safetensors")
    (folder / "dataset_stats.pkl").write_bytes((GOLDEN / "dataset_stats.pkl").read_bytes())
    return folder


def the_run(folder, **wishes):
    given = {"tokenizer": "bytes", **wishes}
    return import_run(folder, INTERFACE, **given)


def words(golden):
    """The released token ids, padded as ours are."""
    return golden["in/input_ids"].where(golden["in/attention_mask"], -1)


def pixels(golden, cameras, rows=slice(None)):
    return [golden[f"in/{name}"][rows] for name in CAMERAS[:cameras]]


def condition(model, golden, cameras, rows=slice(None)):
    """The head's condition for prepared pictures."""
    prompts, states = words(golden)[rows], golden["in/states"][rows]
    tokens = model.backbone.understand(pixels(golden, cameras, rows), prompts)
    return model.fusion(torch.cat([model.norm(tokens.pooled()), states], dim=-1))
