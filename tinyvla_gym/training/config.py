"""Every number that a training run depends on."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from tinyvla_gym.errors import ConfigError, UnknownNameError
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig

LORA_LAYERS = ("linear", "qkv")

MAX_PARTS = 64
"""So that every part of every step has a random seed of its own."""

SEEDS = 2**32
"""Training seeds lie below; with steps and parts they make seeds of torch's, of 64 bits."""

_MUST: tuple[tuple[str, Callable[[Any], bool], tuple[str, ...]], ...] = (
    (
        "be at least 1",
        lambda number: number >= 1,
        ("batch_size", "draws", "parts", "processes", "log_every", "save_every"),
    ),
    (
        "not be negative",
        lambda number: number >= 0,
        (
            *("warmup_steps", "learning_rate", "head_rate", "weight_decay", "lora_rank"),
            *("shift_px", "jitter", "seed", "foresight_weight"),
        ),
    ),
    ("be above 0", lambda number: number > 0, ("clip_norm", "epsilon", "lora_alpha")),
    ("be in [0, 1) each", lambda two: all(0 <= one < 1 for one in two), ("betas",)),
    ("be in [0, 1)", lambda number: 0 <= number < 1, ("ema_decay", "lora_dropout")),
    (f"be below {SEEDS}", lambda seed: seed < SEEDS, ("seed",)),
    ("be at least 1 each", lambda ticks: all(one >= 1 for one in ticks), ("foresight_ticks",)),
    ("be at least 1 each", lambda named: min(named.values(), default=1) >= 1, ("task_repeats",)),
)
"""What a number must do, how to see that it does (NaN never does), and which numbers must."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run; written beside the weights as ``train.json``."""

    model: TinyVLAConfig = field(default_factory=TinyVLAConfig)
    """What is trained."""
    steps: int = 10_000
    """Optimiser steps."""
    warmup_steps: int = 300
    """Steps over which the learning rate climbs from 0 to ``learning_rate``."""
    batch_size: int = 64
    """Frames per step."""
    draws: int = 2
    """Noise draws per encoded frame; the encoder is what costs."""
    learning_rate: float = 1e-3
    """Peak rate; it falls to 0 along a cosine."""
    head_rate: float | None = None
    """Peak rate of all that is no adapter, if the backbone has any: projector, fusion, norm and
    head; ``learning_rate`` if None."""
    weight_decay: float = 1e-4
    """AdamW's."""
    betas: tuple[float, float] = (0.9, 0.999)
    """How much AdamW keeps of its means of the gradients, and of their squares."""
    epsilon: float = 1e-8
    """What AdamW adds to the roots that it divides by."""
    clip_norm: float | None = 1.0
    """Gradients longer than this are shortened to it; None for never."""
    ema_decay: float = 0.999
    """Decay of the averaged weights, which are the ones that are kept; 0 keeps the last ones."""
    lora_rank: int = 0
    """Trains adapters of this rank instead of the backbone's own weights; 0 trains everything."""
    lora_alpha: float = 32.0
    """The adapters' scale is ``lora_alpha / lora_rank``."""
    lora_layers: str = "linear"
    """Which layers get adapters: ``linear`` for every linear one, ``qkv`` for those that make
    queries, keys and values."""
    lora_dropout: float = 0.05
    """Share of the adapters' inputs that training drops."""
    freeze_adapters: bool = False
    """Leaves the adapters at their beginning, where they change nothing, and trains projector and
    head alone: a control that shows what adapters are worth."""
    keep_adapters: bool = False
    """Leaves the adapters in the checkpoint, beside the weights that they adapt, instead of adding
    them in."""
    chunk_offset: int = 0
    """First action of a chunk, relative to the frame [ticks]; may be negative."""
    foresight_ticks: tuple[int, ...] = (8, 16, 32, 64)
    """How far ahead the model foretells its state while it trains [ticks]; empty for not at all."""
    foresight_weight: float = 0.5
    """Factor on the error of the foretold states."""
    shift_px: int = 1
    """Random crop: pictures are padded by this much and cut back at a random place [px]."""
    jitter: float = 0.1
    """Largest relative change of brightness and of contrast."""
    cache_features: bool = False
    """Keeps on the disk what the backbone's frozen eyes make of each picture, and looks only once;
    needs pictures that are not augmented, and eyes that do not learn."""
    shuffle_sentences: bool = True
    """Draws each sample's sentence from all that the dataset pairs with its task."""
    half: bool = False
    """Computes the backbone in bfloat16, for GPUs: most CPUs are slower with it."""
    checkpointing: bool = False
    """Computes a transformer's activations twice instead of keeping them: less memory, slower."""
    task_repeats: dict[str, int] = field(default_factory=dict)
    """How often an epoch shows each frame of a task; once if the task is not named."""
    seed: int = 0
    """Seeds initialisation, order, augmentation and diffusion noise."""
    parts: int = 1
    """Equal parts into which a batch is cut, if there are not more processes; a process takes its
    parts in turn and adds their gradients up, so more parts need less memory. What is learnt does
    not depend on this number, save for the adapters' dropout, which draws for each part."""
    processes: int = 1
    """Processes that share each batch's parts, one torch thread each."""
    shard: bool = False
    """Leaves to each process its pieces of the weights and their moments (FSDP), instead of a copy
    of all of them (DDP): less memory, more talk."""
    log_every: int = 50
    """Steps per line of the log."""
    save_every: int = 500
    """Steps between resumable states; a multiple of ``log_every``."""

    def __post_init__(self) -> None:
        if self.warmup_steps >= self.steps:
            raise ConfigError(
                f"warmup_steps={self.warmup_steps} must be below steps={self.steps}: "
                "the learning rate would never reach its peak."
            )
        self._check_numbers()
        self._check_cache()
        self._check_parts()
        self._check_lora()
        if self.save_every % self.log_every:
            raise ConfigError(
                f"save_every={self.save_every} must be a multiple of log_every={self.log_every}: "
                "a state between two lines of the log would forget half a line."
            )

    def _check_numbers(self) -> None:
        for demand, holds, names in _MUST:
            for name in names:
                value = getattr(self, name)
                if value is not None and not holds(value):
                    raise ConfigError(f"{name} must {demand}, got {value}.")

    def _check_cache(self) -> None:
        if self.cache_features and (self.shift_px or self.jitter):
            raise ConfigError(
                "cache_features=True needs pictures that stay as they are, and these are augmented "
                f"by shift_px={self.shift_px} and jitter={self.jitter}: set both to 0 "
                "(--no-augment)."
            )

    def _check_parts(self) -> None:
        if self.processes > self.batch_size:
            raise ConfigError(
                f"processes={self.processes} cannot share batches of {self.batch_size} frames."
            )
        if self.shard and self.processes == 1:
            raise ConfigError("shard=True needs processes to share the weights: at least 2.")
        if self.batch_size % self.cuts or self.cuts % self.processes or self.cuts > MAX_PARTS:
            raise ConfigError(
                f"A batch of {self.batch_size} frames cannot be cut into {self.cuts} equal parts "
                f"for processes={self.processes}: the processes must divide the parts, and the "
                f"parts the batch; {MAX_PARTS} parts at most."
            )

    def _check_lora(self) -> None:
        if self.lora_layers not in LORA_LAYERS:
            raise UnknownNameError("choice of LoRA layers", self.lora_layers, LORA_LAYERS)
        if self.freeze_adapters and not self.lora_rank:
            raise ConfigError("freeze_adapters needs adapters: set lora_rank to at least 1.")
        if self.keep_adapters and not self.lora_rank:
            raise ConfigError("keep_adapters needs adapters: set lora_rank to at least 1.")

    @property
    def cuts(self) -> int:
        """How many parts a batch is really cut into."""
        return max(self.parts, self.processes)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain lists, numbers and strings, for JSON."""
        return asdict(self)
