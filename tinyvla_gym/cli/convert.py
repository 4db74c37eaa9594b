"""tinyvla-gym convert: other people's weights into this package's folders."""

import json as json_format
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from tinyvla_gym.cli.console import console, write_json
from tinyvla_gym.errors import ConfigError, MissingExtraError
from tinyvla_gym.interface import Interface


@dataclass(frozen=True, kw_only=True)
class Convert:
    """Convert weights that others have trained; every one of them is accounted for.

    A run of TinyVLA's released code becomes a policy, a released base or an image-text-to-text
    model of transformers a backbone.
    """

    source: Annotated[Path, tyro.conf.Positional]
    """Folder to convert: a run, its checkpoint-N, a base, or a transformers model."""
    out: Path
    """The new folder."""
    base: Path | None = None
    """A run's base, where the run does not hold all weights itself."""
    statistics: Path | None = None
    """Another dataset_stats.pkl than the run's."""
    tokenizer: str | None = None
    """A tokenizer.json from elsewhere, or bytes for weights that have learned no words."""
    interface: str = "franka"
    """What a run's data has: franka (the authors'), or a JSON file of an Interface."""
    cameras: tuple[str, ...] = ("left", "right")
    """franka: the cameras' names, in the order of the run's camera_names."""
    size: tuple[int, int] = (180, 320)
    """franka: height and width of the pictures [px]."""
    prompt: Literal["training", "evaluation"] = "training"
    """training has two spaces before the answer, the released evaluation one."""
    coarse_levels: bool = True
    """Embed noise levels in bfloat16, as the run did."""
    pool_padding: bool = False
    """Count padding as tokens, as the run did in batches."""
    side: int | None = None
    """transformers: the square that the model reads [px]."""
    layers: int | None = None
    """transformers: language layers to keep; all if not given."""
    hidden: int = -1
    """transformers: which hidden state becomes the features."""
    half: bool = False
    """Round the weights to float16, half the size."""
    name: str | None = None
    """What reports call the policy; the folder's name if not given."""
    json: Path | None = None
    """Also write what came out to this file."""

    def run(self) -> int:
        """Converts."""
        try:
            from tinyvla_gym.policies.tinyvla.convert import Wishes, convert
        except ModuleNotFoundError as error:
            raise MissingExtraError("Converting weights", "tinyvla") from error
        wishes = Wishes(
            base=self.base,
            statistics=self.statistics,
            tokenizer=self.tokenizer,
            prompt=self.prompt,
            coarse_levels=self.coarse_levels,
            pool_padding=self.pool_padding,
            name=self.name,
            side=self.side,
            layers=self.layers,
            hidden=self.hidden,
            half=self.half,
        )
        made = convert(self.source, self.out, wishes, self._interface())
        console.print(
            f"{made.kind} of {made.weights / 1e6:.1f} million weights in {self.out}",
            soft_wrap=True,
        )
        write_json(self.json, asdict(made))
        return 0

    def _interface(self) -> Interface:
        if self.interface == "franka":
            from tinyvla_gym.policies.tinyvla.released.franka import franka_interface

            return franka_interface(self.cameras, height=self.size[0], width=self.size[1])
        try:
            return Interface.from_dict(json_format.loads(Path(self.interface).read_text()))
        except ConfigError:
            raise
        except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
            raise ConfigError(
                f"The interface is franka or a JSON file of an Interface; {self.interface} cannot "
                f"be read: {error}"
            ) from error
