"""tinyvla-gym view: a dataset as a page to look at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from tinyvla_gym.cli.console import console, write_json
from tinyvla_gym.cli.data.cut import episode_numbers
from tinyvla_gym.cli.progress import progress


@dataclass(frozen=True, kw_only=True)
class View:
    """Write one HTML page with cameras, actions, state, sentence and success, tick by tick.

    It needs no network and no server: open it in a browser.
    """

    dataset: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
    """Folder of a dataset."""
    out: Path | None = None
    """The page; DATASET.html beside the dataset if not given."""
    episodes: tuple[str, ...] = ()
    """Numbers of episodes, and ranges such as 5-9, counted from 0; some of each task if none."""
    most: int = 12
    """How many to show, if none are named."""
    json: Path | None = None
    """Also write which episodes are shown to this file."""

    def run(self) -> int:
        """Writes the page."""
        from tinyvla_gym.data.lerobot import Dataset
        from tinyvla_gym.data.page.page import spread_out, write_page

        dataset = Dataset(self.dataset)
        chosen = episode_numbers(self.episodes) or spread_out(dataset, self.most)
        whole = self.dataset.resolve()
        page = self.out or whole.with_name(f"{whole.name}.html")
        with progress() as show:
            write_page(
                dataset, chosen, page, progress=lambda done, total: show("drawing", done, total)
            )
        told = f"{len(chosen)} of {len(dataset)} episodes in {page}"
        console.print(f"{told}, {page.stat().st_size / 1e6:.1f} MB", soft_wrap=True)
        write_json(self.json, {"page": str(page), "episodes": chosen})
        return 0
