"""tinyvla-gym data stats: the numbers of a dataset, and what about it may be wrong."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro

from tinyvla_gym.cli.console import console, print_table, write_json
from tinyvla_gym.cli.progress import progress


@dataclass(frozen=True, kw_only=True)
class Stats:
    """Print the statistics of a dataset, and warn of what may be wrong.

    Warned of are entries that never change, values far outside the rest, sentences that several
    tasks share, episodes recorded twice, and cameras that stand still.
    """

    dataset: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
    """Folder of a dataset."""
    json: Path | None = None
    """Also write statistics and warnings to this file."""

    def run(self) -> int:
        """Prints."""
        from tinyvla_gym.data.inspection import entry_statistics, findings
        from tinyvla_gym.data.lerobot import Dataset

        dataset = Dataset(self.dataset)
        columns = ("min", "q01", "q50", "q99", "max", "mean", "std")
        rows = [
            (feature, name, *(f"{getattr(numbers, one)[place]:.4g}" for one in columns))
            for feature, name, numbers, place in entry_statistics(dataset)
        ]
        print_table(("feature", "entry", *columns), rows, numbers=len(columns))
        with progress() as show:
            found = findings(dataset, lambda done, total: show("reading", done, total))
        for one in found:
            console.print(f"warning ({one.kind}): {one.says}", soft_wrap=True)
        if not found:
            console.print("nothing odd was found", soft_wrap=True)
        statistics = {name: one.to_dict() for name, one in dataset.statistics.items()}
        facts = {"statistics": statistics, "warnings": [asdict(one) for one in found]}
        write_json(self.json, facts)
        return 0
