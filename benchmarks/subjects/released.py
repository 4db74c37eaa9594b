"""TinyVLA's released code, planning and learning on a CPU, in an environment of its own.

It does not run as it was released. What is changed so that it does, and nothing else: ``cuda()``
stays where it is; the noise level's sines, computed in bfloat16, become float32 again, which the
layer behind them wants; libraries that the two paths import but do not use are empty; and the
model's class is told to the loader, whose package does not import it.
"""

import math
import pickle
import shutil
import sys
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from time import process_time
from types import ModuleType
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor, nn

from benchmarks.lines import serve
from benchmarks.subjects.inputs import ACTIONS, CHUNK, SENTENCE, STATES, sight, versions
from benchmarks.subjects.peak import forget_peak, peak_mb

UNUSED = ("IPython", "cv2", "deepspeed", "h5py", "matplotlib", "pytorch3d", "torchvision")
LORA = {"r": 64, "lora_alpha": 256, "lora_dropout": 0.05, "bias": "none"}
"""Of the released training script, as are the rates."""
RATE, HEAD_RATE = 2e-4, 2e-5


class Empty(ModuleType):
    """A module in which every name is a class without contents."""

    __version__ = "9.9"
    __path__ = ()  # so that it may have submodules

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class EmptyModules(MetaPathFinder, Loader):
    """Finds an empty module for what is not installed and not used."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Says yes to the libraries that are not used."""
        known = fullname.split(".")[0] in UNUSED
        return ModuleSpec(fullname, self, is_package=True) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Makes an empty module."""
        return Empty(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Has nothing to run."""


class State:
    """What lives from one request to the next."""

    model: Any
    policy: Any
    optimizer: torch.optim.Optimizer


def build(code: str, vision: dict[str, Any], body: dict[str, Any], folder: str, words: str) -> int:
    """Builds a policy with random weights, saves it, and keeps it ready to plan.

    Args:
        code: A clone of the released repository.
        vision: Settings of the tower.
        body: Settings of the language model.
        folder: Where weights, settings and statistics go, as a released run has them.
        words: A ``tokenizer.json``.

    Returns:
        How many weights there are.
    """
    prepare(Path(code))
    place = Path(folder)
    pythia = import_module("llava_pythia.model.language_model.pythia.llava_pythia")
    with transformers.modeling_utils.no_init_weights():
        model = pythia.LlavaPythiaForCausalLM(settings(pythia, vision, body))
    draw_weights(model)
    model.eval().save_pretrained(place, safe_serialization=True)
    shutil.copy(Path(code) / "llava-pythia/preprocessor_config.json", place)
    (place / "dataset_stats.pkl").write_bytes(pickle.dumps(statistics()))
    State.model = model
    State.policy = planner(model, place, words)
    return sum(weight.numel() for weight in model.parameters())


def prepare(code: Path) -> None:
    """Makes the released code importable, and runnable without a GPU."""
    sys.path[:0] = [str(code), str(code / "llava-pythia"), str(code / "policy_heads")]
    sys.meta_path.append(EmptyModules())  # behind all others: what is installed is not hidden
    Tensor.cuda = lambda self, *_, **__: self  # type: ignore[method-assign]
    unet = import_module("policy_heads.models.droid_unet_diffusion")
    sines = unet.SinusoidalPosEmb.forward
    unet.SinusoidalPosEmb.forward = lambda self, level: sines(self, level).float()


def settings(pythia: Any, vision: dict[str, Any], body: dict[str, Any]) -> Any:
    """The released config of a trained policy."""
    tower = {
        **vision,
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
        "vision_model_name_or_path": "clip",
    }
    tower.pop("model_type")
    joint = {"mm_hidden_size": vision["hidden_size"], "hidden_size": body["hidden_size"]}
    config = pythia.LlavaPythiaConfig(
        **body,
        vision_config={
            "vision_tower": tower,
            "mm_projector": {"mm_projector_type": "mlp2x_gelu", **joint},
        },
        architectures=["LlavaPythiaForCausalLM"],
        action_head_type="droid_diffusion",
        action_dim=ACTIONS,
        state_dim=STATES,
        chunk_size=CHUNK,
        mm_use_im_start_end=False,
    )
    config.concat = "token_cat"
    return config


@torch.no_grad()
def draw_weights(model: nn.Module) -> None:
    """Redraws every weight, so that each of them matters to the plan."""
    torch.manual_seed(0)
    norms = (nn.LayerNorm, nn.GroupNorm)
    for part in model.modules():
        for name, weight in part.named_parameters(recurse=False):
            if isinstance(part, norms) and name == "weight":
                weight.normal_(1, 0.1)
            elif weight.ndim < 2:
                weight.normal_(0, 0.1)
            elif isinstance(part, nn.Embedding):
                weight.normal_(0, 0.5)
            else:
                weight.normal_(0, 1 / math.sqrt(weight[0].numel()))
    model.embed_out.final_conv[1].weight.mul_(0.7)


def statistics() -> dict[str, Any]:
    """A run's statistics: actions are in [-1, 1] already, save the gripper's in [0, 1]."""
    low = -np.ones(ACTIONS, np.float32)
    low[-1] = 0
    return {
        "action_mean": np.zeros(ACTIONS, np.float32),
        "action_std": np.ones(ACTIONS, np.float32),
        "action_min": low,
        "action_max": np.ones(ACTIONS, np.float32),
        "qpos_mean": np.zeros(STATES, np.float32),
        "qpos_std": np.ones(STATES, np.float32),
        "example_qpos": np.zeros((1, STATES), np.float32),
    }


def planner(model: Any, folder: Path, words: str) -> Any:
    """The policy of the released evaluation script, around a model that is there already."""
    sys.modules["llava_pythia.model"].LlavaPythiaForCausalLM = type(model)
    evaluation = import_module("eval_real_franka")
    policy = object.__new__(evaluation.llava_pythia_act_policy)
    policy.policy = model
    policy.policy_config = {"conv_mode": "pythia"}
    policy.tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=words)
    policy.tokenizer.pad_token_id = 1
    policy.image_processor = transformers.CLIPImageProcessor.from_pretrained(folder)
    return policy


@torch.inference_mode()
def plan(seed: int) -> dict[str, Any]:
    """Plans once, from camera frames to physical actions; what it takes, and the chunk."""
    seen = sight(seed)
    began = process_time()
    batch = State.policy.process_batch_to_llava(
        cropped(seen.frames), torch.from_numpy(seen.state)[None], SENTENCE
    )
    with given_noise(seen.noise):
        chunk = State.model(**batch, eval=True)
    stats = statistics()
    low, high = (torch.from_numpy(stats[key]) for key in ("action_min", "action_max"))
    physical = (chunk + 1) / 2 * (high - low) + low
    seconds = process_time() - began
    return {"seconds": seconds, "chunk": physical[0].tolist()}


def adapt(checkpointing: bool) -> int:
    """Puts the released adapters on, as its loader does; how many weights learn.

    Args:
        checkpointing: Whether activations are computed again on the way back. The released code
            does so re-entrantly, and then the tower's adapters get no gradient; here they do.
    """
    peft = import_module("peft")
    loader = import_module("llava_pythia.llava_pythia_utils")
    model = State.model.train().requires_grad_(False)
    names = loader.find_all_linear_names(model, lambda *_: None, "vit llm")
    State.model = peft.get_peft_model(
        model, peft.LoraConfig(target_modules=names, task_type="CAUSAL_LM", **LORA)
    )
    for part in (model.get_model().mm_projector, model.embed_out):
        part.requires_grad_(True)
    if checkpointing:
        model.config.use_cache = False
        model.gradient_checkpointing_enable({"use_reentrant": False})
    named = [(name, one) for name, one in State.model.named_parameters() if one.requires_grad]
    State.optimizer = torch.optim.AdamW(
        [
            {"params": [one for name, one in named if "lora_" in name], "lr": RATE},
            {"params": [one for name, one in named if "lora_" not in name], "lr": HEAD_RATE},
        ],
        betas=(0.9, 0.98),
        eps=1e-7,
        weight_decay=0.0,
    )
    return sum(one.numel() for _, one in named)


def learn(seed: int) -> dict[str, Any]:
    """Takes one step of learning from one frame; seconds, its loss, and memory at the most [MB]."""
    seen = sight(seed)
    batch = State.policy.process_batch_to_llava(
        cropped(seen.frames), torch.from_numpy(seen.state)[None], SENTENCE
    )
    is_pad = torch.zeros(1, CHUNK, dtype=torch.bool)
    forget_peak()
    began = process_time()
    State.optimizer.zero_grad(set_to_none=True)
    with given_noise(seen.noise[None]), given_level(seen.level):
        told = State.model(**batch, actions=torch.from_numpy(seen.chunk), is_pad=is_pad)
    loss = told.loss["loss"]
    loss.backward()
    torch.nn.utils.clip_grad_norm_(State.model.parameters(), 1.0)
    State.optimizer.step()
    return {"seconds": process_time() - began, "loss": float(loss.detach()), "peak_mb": peak_mb()}


@contextmanager
def given_level(level: int) -> Any:
    """Has the next loss be of this noise level."""
    before = torch.randint
    torch.randint = lambda *_, **__: torch.tensor([level])
    try:
        yield
    finally:
        torch.randint = before


def cropped(frames: np.ndarray) -> Tensor:
    """Frames (2, H, W, 3) as the evaluation's loop hands them on: cut to 95 % and enlarged."""
    images = torch.from_numpy(frames.transpose(0, 3, 1, 2) / 255.0).float()
    height, width = images.shape[-2:]
    rows, columns = (
        slice(int(size * (1 - 0.95) / 2), int(size * (1 + 0.95) / 2)) for size in (height, width)
    )
    resized = nn.functional.interpolate(
        images[..., rows, columns], (height, width), mode="bilinear", antialias=True
    )
    return resized[None]


@contextmanager
def given_noise(noise: np.ndarray) -> Any:
    """Has the next plan begin with this noise (1, K, A)."""
    before = torch.randn
    torch.randn = lambda *_, **__: torch.from_numpy(noise)
    try:
        yield
    finally:
        torch.randn = before


if __name__ == "__main__":
    serve(
        {
            "versions": lambda: versions("torch", "transformers", "diffusers", "peft"),
            "build": build,
            "plan": plan,
            "adapt": adapt,
            "learn": learn,
        }
    )
