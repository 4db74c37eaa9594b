"""Named training runs: the bundled policies' own, the paper's, and small ones to learn from."""

from dataclasses import replace
from typing import Any

from tinyvla_gym.errors import UnknownNameError
from tinyvla_gym.evaluation.suites import TIERS
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig
from tinyvla_gym.policies.tinyvla.llava_pythia.sizes import SIGHTED_TOY, options
from tinyvla_gym.training.config import TrainConfig

LORA: dict[str, dict[str, Any]] = {
    "released": {"lora_rank": 64, "lora_alpha": 256.0, "lora_layers": "linear"},
    "paper": {"lora_rank": 64, "lora_alpha": 256.0, "lora_layers": "qkv"},
}
"""Adapters as in TinyVLA's released code, and as its paper describes them."""


def _published(size: str) -> TrainConfig:
    """The released run of a size, but for the batch: 32 frames instead of 256."""
    return TrainConfig(
        model=TinyVLAConfig(
            backbone="llava_pythia",
            backbone_options=options(size),
            widths=(256, 512, 1024),
            step_size=256,
            fusion_layers=1,
        ),
        warmup_steps=50,
        batch_size=32,
        draws=1,
        learning_rate=2e-4,
        head_rate=2e-5,
        weight_decay=0.0,
        betas=(0.9, 0.98),
        epsilon=1e-7,
        clip_norm=None,
        ema_decay=0.0,
        foresight_ticks=(),
        **LORA["released"],
    )


# What ten episodes each showed to be hardest, on selection seeds, to a first policy for all fifty.
HARDEST = (
    *("box-close", "hand-insert", "handle-pull", "handle-pull-side", "lever-pull"),
    *("peg-insert-side", "shelf-place", "soccer", "stick-pull", "sweep"),
)

FIFTY: dict[str, Any] = {  # the tier average weighs the 22 harder tasks more than the 28 easy
    "parts": 2,  # one core or two, interrupted and resumed with either
    "task_repeats": {
        **{task: 2 for tier in TIERS if tier != "easy" for task in TIERS[tier]},
        **dict.fromkeys(HARDEST, 3),
    },
}

FIRST_PASS = TrainConfig(model=TinyVLAConfig(head="regression", execute=2), steps=11_000, **FIFTY)

# What ten episodes each, on selection seeds, showed not to be learnt well by the first pass.
SECOND_PASS: dict[str, int] = {
    **FIFTY["task_repeats"],
    **dict.fromkeys(("peg-unplug-side", "plate-slide-back", "plate-slide-back-side"), 3),
    **dict.fromkeys(("box-close", "peg-insert-side", "hand-insert", "pick-out-of-hole"), 4),
    **dict.fromkeys(("pick-place", "push-back", "disassemble", "shelf-place", "stick-pull"), 4),
    **dict.fromkeys(("assembly", "soccer"), 6),
}

# As many multiplications as nano's three towers, on the middle of one picture of 480 px.
ONE_CAMERA = {"channels": (40, 64, 96), "points": 48, "look_px": 120, "look_middle_px": 360}

PRESETS = {
    "nano": TrainConfig(steps=14_000),
    "nano-mt50": FIRST_PASS,
    "nano-mt50-second": replace(  # goes on from nano-mt50, at what it had not learnt well
        FIRST_PASS, steps=4_000, learning_rate=7e-4, task_repeats=SECOND_PASS
    ),
    "nano-1cam": TrainConfig(
        model=TinyVLAConfig(backbone_options=ONE_CAMERA, head="regression"), steps=24_000, **FIFTY
    ),
    "pretrained-nano": TrainConfig(  # pretrained eyes and reader, adapters on both
        model=TinyVLAConfig(backbone="pretrained_nano"),
        steps=16_000,
        batch_size=32,
        draws=4,
        ema_decay=0.995,
        lora_rank=16,
        lora_dropout=0.0,  # drawing it would cost as much as the layers that are adapted
    ),
    "diffusion-policy": TrainConfig(  # the baseline without a vision-language model
        model=TinyVLAConfig(
            backbone="film_resnet",
            backbone_options={"channels": (32, 64, 128, 256)},  # half of ResNet-18's
            fusion_layers=1,
        ),
        steps=14_000,
        learning_rate=5e-4,
    ),
    "tiny": TrainConfig(  # seconds on Reach, for tests and lessons
        model=TinyVLAConfig(
            backbone_options={"width": 64, "channels": (8, 16, 16), "points": 8, "text_width": 32},
            horizon=8,
            execute=4,
            widths=(16, 32, 32),
            step_size=16,
        ),
        steps=1_500,
        warmup_steps=50,
        batch_size=32,
        shift_px=1,
    ),
    "toy-llava": TrainConfig(  # the released recipe at a doll's width, minutes on Reach
        model=TinyVLAConfig(
            backbone="llava_pythia",
            backbone_options=SIGHTED_TOY,
            horizon=8,
            execute=4,
            widths=(16, 32, 32),
            step_size=16,
        ),
        steps=12_000,
        batch_size=32,
        learning_rate=5e-4,
        head_rate=3e-3,
        draws=4,
        ema_decay=0.995,
        lora_rank=16,
        lora_dropout=0.0,
    ),
    "s": _published("s"),
    "b": _published("b"),
    "h": _published("h"),
}


def preset(name: str) -> TrainConfig:
    """Looks a preset up.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    if name not in PRESETS:
        raise UnknownNameError("preset", name, PRESETS)
    return PRESETS[name]


def lora(name: str | None) -> dict[str, Any]:
    """Looks settings of adapters up; none for None.

    Raises:
        UnknownNameError: If there are none of that name.
    """
    if name is not None and name not in LORA:
        raise UnknownNameError("set of adapters", name, LORA)
    return {} if name is None else dict(LORA[name])
