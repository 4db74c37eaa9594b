"""tinyvla-gym train: a dataset into a checkpoint."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tinyvla_gym.cli.console import console
from tinyvla_gym.cli.learning import OnProgress, learn
from tinyvla_gym.cli.progress import Show
from tinyvla_gym.errors import MissingExtraError

if TYPE_CHECKING:
    from tinyvla_gym.training.config import TrainConfig
    from tinyvla_gym.training.logbook import Progress


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a TinyVLA policy on a dataset; interrupt it at will and go on with --resume."""

    data: Path
    """Folder of a dataset, as collect writes it."""
    out: Path
    """Folder of the run; the policy will be in its checkpoint/."""
    preset: str = "nano"
    """nano for ten tasks, nano-mt50 for fifty and nano-mt50-second to go on from it, nano-1cam
    for fifty from one large picture, pretrained-nano, tiny for the toy, diffusion-policy, or
    s, b, h: the published sizes with LoRA."""
    head: str | None = None
    """act, diffusion, flow, one_step, regression or tokens instead of the preset's head, or of the
    head of the policy to go on from."""
    steps: int | None = None
    """Optimiser steps instead of the preset's."""
    seed: int | None = None
    """Training seed instead of the preset's."""
    processes: int | None = None
    """Processes with one core each instead of the preset's."""
    start: str | None = None
    """A policy to go on from (a bundled name, a folder or a hub id), or a converted backbone."""
    parts: int | None = None
    """Equal parts into which a batch is cut, taken in turn: more parts need less memory."""
    lora: str | None = None
    """Train adapters instead of the backbone's weights: released for every linear layer, as
    TinyVLA's code does, paper for queries, keys and values only."""
    lora_rank: int | None = None
    """Adapters of this rank instead of the preset's."""
    half: bool = False
    """Compute the backbone in bfloat16, for GPUs."""
    checkpointing: bool = False
    """Compute a transformer's activations twice instead of keeping them: less memory."""
    shard: bool = False
    """With accelerate launch: each process keeps pieces of the weights (FSDP), not a copy (DDP)."""
    device: str = "cpu"
    """cpu, cuda, or cuda:1; for several GPUs, start it with accelerate launch."""
    freeze_adapters: bool = False
    """Train projector and head alone: a control that shows what adapters are worth."""
    keep_adapters: bool = False
    """Leave the adapters beside the weights in the checkpoint instead of adding them in."""
    augment: bool = True
    """Shift and recolour each picture a little, anew every time it is shown."""
    cache_features: bool = False
    """Keep on the disk what the backbone's frozen eyes see, and look only once; with
    --no-augment, and where eyes learn --freeze-adapters."""
    name: str | None = None
    """What reports call the policy; the preset's name if not given."""
    resume: bool = False
    """Go on with an interrupted run."""
    json: Path | None = None
    """Also write the last line of the log to this file."""

    def run(self) -> int:
        """Trains."""
        try:
            from tinyvla_gym.training.dataset import train_on_dataset
        except ModuleNotFoundError as error:
            raise MissingExtraError("Training", "tinyvla") from error
        config = self._config()

        def work(show: Show, on_progress: OnProgress) -> None:
            train_on_dataset(
                self.data,
                self.out,
                config,
                name=self.name or self.preset,
                start=self.start,
                head=self.head,
                resume=self.resume,
                device=self.device,
                on_looked=lambda done, total: show("looking at the pictures", done, total),
                on_decoded=lambda done, total: show("decoding the dataset", done, total),
                on_progress=on_progress,
                on_forecast=lambda told: console.print(str(told), soft_wrap=True),
            )

        return learn(self.out, self.json, work, what="training", facts=_facts)

    def _config(self) -> "TrainConfig":
        """The preset's settings, and what the command line says otherwise."""
        from tinyvla_gym.training.presets import lora, preset
        from tinyvla_gym.training.team import launched_size

        given = {
            "steps": self.steps,
            "seed": self.seed,
            "parts": self.parts,
            "processes": launched_size() or self.processes,
            "half": self.half or None,
            "checkpointing": self.checkpointing or None,
            "lora_rank": self.lora_rank,
            "freeze_adapters": self.freeze_adapters or None,
            "keep_adapters": self.keep_adapters or None,
            **({} if self.augment else {"shift_px": 0, "jitter": 0.0}),
            "shard": self.shard or None,
            "cache_features": self.cache_features or None,
        }
        config = replace(preset(self.preset), **lora(self.lora))
        if self.steps is not None:  # a short run warms up in half of it
            given["warmup_steps"] = min(config.warmup_steps, self.steps // 2)
        config = replace(
            config, **{key: value for key, value in given.items() if value is not None}
        )
        if self.head is None:
            return config
        return replace(config, model=replace(config.model, head=self.head))


def _facts(line: "Progress") -> str:
    return (
        f"loss {line.loss:.4f}, {line.samples_per_s:.0f} samples/s, "
        f"{100 * line.data_wait_frac:.1f} % data wait"
    )
