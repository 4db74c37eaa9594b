"""Writes the page: one HTML file that holds everything it shows."""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.data.atomic import written_whole
from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.data.lerobot.merge import Progress
from tinyvla_gym.data.page.sheets import sheets
from tinyvla_gym.errors import ConfigError

_DIGITS = 5


def write_page(
    dataset: Dataset, episodes: Sequence[int], path: Path, *, progress: Progress | None = None
) -> None:
    """Writes a page that shows some episodes, tick by tick.

    Its pictures are JPEG, at most 320 px wide; the dataset's own are better.

    Args:
        dataset: The dataset.
        episodes: Which of its episodes.
        path: The page.
        progress: Told (done, total) episodes.

    Raises:
        ConfigError: If there is no such episode.
        DatasetError: If an episode is damaged.
        OutputError: If the page cannot be written.
    """
    strangers = [index for index in episodes if not 0 <= index < len(dataset)]
    if strangers or not episodes:
        wanted = strangers[0] if strangers else "episode chosen"
        raise ConfigError(
            f"{dataset.folder} has the episodes 0 to {len(dataset) - 1}, and no {wanted}."
        )
    head, _, tail = _template().partition("__DATA__")
    with written_whole(path) as partial, partial.open("w", encoding="utf-8") as page:
        page.write(head)
        page.write('{"dataset":' + _json(_dataset(dataset)) + ',"episodes":[')
        for done, index in enumerate(episodes, start=1):
            page.write(("," if done > 1 else "") + _json(_episode(dataset, index)))
            if progress:
                progress(done, len(episodes))
        page.write("]}" + tail)


def spread_out(dataset: Dataset, count: int) -> list[int]:
    """Chooses episodes to look at: each task in turn, in order."""
    turns: dict[str, int] = {}
    places = []
    for index, task in enumerate(dataset.tasks):
        turns[task] = turns.get(task, -1) + 1
        places.append((turns[task], index))
    return sorted(index for _, index in sorted(places)[:count])


def _template() -> str:
    return files("tinyvla_gym.data.page").joinpath("page.html").read_text(encoding="utf-8")


def _json(facts: Any) -> str:
    """JSON that cannot end the script element that it stands in."""
    return json.dumps(facts, separators=(",", ":")).replace("</", "<\\/")


def _dataset(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.folder.resolve().name,
        "episodes": len(dataset),
        "frames": dataset.frames,
        "fps": dataset.files.fps,
        "profile": dataset.profile,
        "state": list(dataset.interface.state),
        "action": list(dataset.interface.action),
    }


def _episode(dataset: Dataset, index: int) -> dict[str, Any]:
    episode = dataset.episode(index)
    return {
        "index": index,
        "seed": episode.seed,
        "task": episode.task,
        "source": episode.source,
        "sentence": episode.instruction,
        "length": len(episode),
        "solved": int(np.argmax(episode.success)) if episode.succeeded else None,
        "cameras": {name: sheets(images) for name, images in episode.images.items()},
        "state": _columns(episode.state),
        "action": _columns(episode.action),
        "sent": _columns(episode.sent_action),
        "reward": _columns(episode.reward[:, None])[0],
    }


def _columns(values: NDArray[np.float32]) -> list[list[float]]:
    """One list per entry, shape (entries, T)."""
    return [[float(f"{one:.{_DIGITS}g}") for one in column] for column in values.T]
