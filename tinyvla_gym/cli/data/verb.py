"""The verb itself: its parts, one of which runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from tinyvla_gym.cli.data.cut import Delete, Merge, Reencode, Split
from tinyvla_gym.cli.data.exchange import Export, Import
from tinyvla_gym.cli.data.info import Info
from tinyvla_gym.cli.data.repair import Repair
from tinyvla_gym.cli.data.stats import Stats

Part = (
    Annotated[Info, tyro.conf.subcommand("info")]
    | Annotated[Stats, tyro.conf.subcommand("stats")]
    | Annotated[Repair, tyro.conf.subcommand("repair")]
    | Annotated[Merge, tyro.conf.subcommand("merge")]
    | Annotated[Split, tyro.conf.subcommand("split")]
    | Annotated[Delete, tyro.conf.subcommand("delete")]
    | Annotated[Reencode, tyro.conf.subcommand("reencode")]
    | Annotated[Import, tyro.conf.subcommand("import")]
    | Annotated[Export, tyro.conf.subcommand("export")]
)


@dataclass(frozen=True, kw_only=True)
class Data:
    """Look at datasets, mend, cut and convert them."""

    part: tyro.conf.OmitSubcommandPrefixes[tyro.conf.OmitArgPrefixes[Part]]

    @property
    def json(self) -> Path | None:
        """Where to write what was found."""
        return self.part.json

    def run(self) -> int:
        """Runs the part."""
        return self.part.run()
