"""tinyvla-gym convert: other people's weights into our folders, and ours into ONNX."""

import json as json_format
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from tinyvla_gym.cli.console import console, write_json
from tinyvla_gym.errors import ConfigError, MissingExtraError
from tinyvla_gym.interface import Interface
from tinyvla_gym.policies.checkpoint import CARD

RUN = (
    *("base", "statistics", "tokenizer", "interface", "cameras", "size", "prompt"),
    *("coarse_levels", "pool_padding", "keep_adapters", "half", "name"),
)
APPLY = {
    "run": ("a run of the released code", RUN),
    "base": ("a released base", ("tokenizer", "half")),
    "vlm": ("a model of transformers", ("tokenizer", "side", "layers", "hidden", "half")),
    "onnx": ("--to onnx", ("int8", "half")),
}
"""What can be converted, how messages call it, and which options it has."""


@dataclass(frozen=True, kw_only=True)
class Convert:
    """Convert weights that others have trained, every one accounted for; or export a policy.

    A run of TinyVLA's released code becomes a policy, a released base or an image-text-to-text
    model of transformers a backbone. A policy of ours gets an ONNX graph beside its weights, which
    runs without torch; the policy that comes with the package is such a folder.
    """

    source: Annotated[str, tyro.conf.Positional]
    """A run, its checkpoint-N, a base or a transformers model; with --to onnx a policy of ours."""
    out: Path
    """The new folder."""
    to: Literal["ours", "onnx"] = "ours"
    """The form to convert to."""
    int8: bool = False
    """onnx: round the linear layers' weights to 8 bits; what comes out runs without torch only."""
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
    keep_adapters: bool = False
    """Leave a run's LoRA adapters beside the weights instead of adding them in."""
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
        facts = self._exported() if self.to == "onnx" else self._imported()
        write_json(self.json, facts)
        return 0

    def _imported(self) -> dict[str, Any]:
        try:
            from tinyvla_gym.policies.tinyvla.convert import Wishes, convert, sort_of
        except ModuleNotFoundError as error:
            raise MissingExtraError("Converting weights", "tinyvla") from error
        if self.int8:
            raise ConfigError("--int8 is for --to onnx; --half rounds weights in our folders.")
        wishes = Wishes(**{field.name: getattr(self, field.name) for field in fields(Wishes)})
        self._check(sort_of(Path(self.source)))
        made = convert(Path(self.source), self.out, wishes, self._interface())
        millions = f"{made.weights / 1e6:.1f} million weights"
        console.print(f"{made.kind} of {millions} in {self.out}", soft_wrap=True)
        return asdict(made)

    def _exported(self) -> dict[str, Any]:
        try:
            from tinyvla_gym.policies.tinyvla.onnx_export import export_int8, export_onnx
            from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
        except ModuleNotFoundError as error:
            raise MissingExtraError("Exporting to ONNX", "tinyvla") from error
        from tinyvla_gym.policies.load import checkpoint_folder, load_policy

        self._check("onnx")
        if self.int8 and self.half:
            raise ConfigError("--int8 and --half round weights in two ways; choose one.")
        policy = load_policy(self.source)
        if not isinstance(policy, TinyVLAPolicy):
            raise ConfigError(f"{self.source} is not a TinyVLA that could be exported.")
        if self.int8:
            export_int8(policy, self.out)
        else:
            card = checkpoint_folder(self.source) / CARD
            words = card.read_text(encoding="utf-8") if card.is_file() else ""
            export_onnx(policy, self.out, half=self.half, card=words)
        size = sum(path.stat().st_size for path in self.out.iterdir())
        console.print(f"policy in {self.out}, {size / 2**20:.1f} MiB", soft_wrap=True)
        return {"to": self.to, "int8": self.int8, "half": self.half, "bytes": size}

    def _check(self, sort: str) -> None:
        """Refuses options that would change nothing."""
        what, names = APPLY[sort]
        self._refuse(what, {*names, "source", "out", "to", "json"})

    def _refuse(self, what: str, known: set[str]) -> None:
        given = [
            f"--{'no-' if getattr(self, one.name) is False else ''}{one.name.replace('_', '-')}"
            for one in fields(self)
            if one.name not in known and getattr(self, one.name) != one.default
        ]
        if given:
            them = "them" if len(given) > 1 else "it"
            raise ConfigError(f"{what} knows no {' and no '.join(given)}; leave {them} out.")

    def _interface(self) -> Interface:
        if self.interface == "franka":
            from tinyvla_gym.policies.tinyvla.released.franka import franka_interface

            return franka_interface(self.cameras, height=self.size[0], width=self.size[1])
        try:
            found = Interface.from_dict(json_format.loads(Path(self.interface).read_text()))
        except ConfigError:
            raise
        except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
            raise ConfigError(
                f"The interface is franka or a JSON file of an Interface; {self.interface} cannot "
                f"be read: {error}"
            ) from error
        self._refuse("--interface FILE", {f.name for f in fields(self)} - {"cameras", "size"})
        return found
