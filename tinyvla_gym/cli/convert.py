"""tinyvla-gym convert: a checkpoint into another form."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from tinyvla_gym.cli.console import console, write_json
from tinyvla_gym.errors import ConfigError, MissingExtraError


@dataclass(frozen=True, kw_only=True)
class Convert:
    """Export a policy as one ONNX graph, which runs without torch."""

    source: Annotated[str, tyro.conf.Positional]
    """A bundled policy, a checkpoint folder, or a hub id owner/name."""
    out: Path
    """The new folder; load it as any other policy."""
    to: Literal["onnx"] = "onnx"
    """The form to convert to."""
    int8: bool = False
    """Round the linear layers' weights to 8 bits."""
    json: Path | None = None
    """Also write what came out to this file."""

    def run(self) -> int:
        """Converts."""
        try:
            from tinyvla_gym.policies.tinyvla.onnx_export import export_onnx
            from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
        except ModuleNotFoundError as error:
            raise MissingExtraError("Exporting to ONNX", "tinyvla") from error
        from tinyvla_gym.policies.load import load_policy

        policy = load_policy(self.source)
        if not isinstance(policy, TinyVLAPolicy):
            raise ConfigError(f"{self.source} is not a TinyVLA that could be exported.")
        export_onnx(policy, self.out, int8=self.int8)
        size = sum(path.stat().st_size for path in self.out.iterdir())
        console.print(f"policy in {self.out}, {size / 2**20:.1f} MiB", soft_wrap=True)
        write_json(self.json, {"to": self.to, "int8": self.int8, "bytes": size})
        return 0
