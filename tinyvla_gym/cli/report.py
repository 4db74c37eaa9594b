"""tinyvla-gym report: everything known about a policy, on one page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from tinyvla_gym.cli.console import console, write_json
from tinyvla_gym.data.atomic import check_writable
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.evaluation.folder import videos_path
from tinyvla_gym.evaluation.report import write_report
from tinyvla_gym.evaluation.results import Results
from tinyvla_gym.evaluation.sweeps import Sweep


@dataclass(frozen=True, kw_only=True)
class Report:
    """Draw one page about a policy: an evaluation of it, and sweeps."""

    evaluation: Annotated[Path, tyro.conf.Positional]
    """The folder of an evaluation, or its results.json."""
    out: Path
    """The page, an .html file that needs nothing beside it."""
    sweeps: tuple[Path, ...] = ()
    """What evaluate --sweep wrote: folders, or their sweep.json."""
    videos: Path | None = None
    """Folder of films; the evaluation's own if not given."""
    notes: tuple[str, ...] = ()
    """What else a reader should know, such as the policy's size and cost."""
    title: str | None = None
    """The page's heading."""
    json: Path | None = None
    """Also write what the page shows to this file."""

    def run(self) -> int:
        """Draws the page."""
        check_writable(self.out)
        given = self.evaluation
        results = Results.load(given)
        films = self.videos or videos_path(given if given.is_dir() else given.parent)
        if self.videos is not None and not films.is_dir():
            raise ConfigError(f"There is no folder of films at {films}.")
        sweeps = [Sweep.load(path) for path in self.sweeps]
        write_report(
            results,
            self.out,
            title=self.title or f"{results.policy} on {results.conditions.suite}",
            videos=films,
            sweeps=sweeps,
            notes=self.notes,
        )
        console.print(f"drawn: {self.out}", soft_wrap=True)
        facts = {"results": results.to_dict(), "sweeps": [sweep.to_dict() for sweep in sweeps]}
        write_json(self.json, facts)
        return 0
