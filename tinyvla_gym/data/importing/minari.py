"""Minari datasets as a source; the library is an extra."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from tinyvla_gym.data.importing.source import Column, RawEpisode
from tinyvla_gym.data.lerobot import schema
from tinyvla_gym.data.lerobot.damage import damaged, reading
from tinyvla_gym.data.lerobot.facts import Facts
from tinyvla_gym.errors import MissingExtraError

_INFOS = ("success", "sent_action")


def load_minari(what: str) -> Any:
    """Returns the library.

    Args:
        what: Who needs it, for the message.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        import h5py  # noqa: F401  minari needs it for the files that it writes by default
        import minari
    except ModuleNotFoundError as problem:
        raise MissingExtraError(what, "formats") from problem
    return minari


class MinariSource:
    """A Minari dataset; a ``Source``.

    A dictionary of observations gives a column each, a single one is called ``state``. Minari
    also keeps what was seen after the last tick; that is not read.
    """

    def __init__(self, folder: Path) -> None:
        """Looks into the first episode.

        Args:
            folder: The dataset's, which holds ``data/metadata.json``.

        Raises:
            DatasetError: If it is no Minari dataset, or has no episode.
            MissingExtraError: If Minari is not installed.
        """
        minari = load_minari("Reading Minari")
        self._folder = folder
        with reading(folder):
            self._dataset = minari.MinariDataset(folder / "data")
        if not self._dataset.total_episodes:
            raise damaged(folder, "it has no episode")
        facts = folder / schema.FACTS.name
        self.facts = Facts.read(facts) if facts.exists() else None
        spec = self._dataset.env_spec
        rate = (spec.kwargs if spec else {}).get("control_hz")
        self.fps = self.facts.interface.control_hz if self.facts else rate
        self.columns: dict[str, Column] = self._columns()

    def __len__(self) -> int:
        """Episodes."""
        return self._dataset.total_episodes

    def read(self, index: int, columns: Collection[str]) -> RawEpisode:
        """Reads some columns of an episode.

        Raises:
            DatasetError: If it is damaged.
        """
        with reading(self._folder):
            episode = self._dataset[index]
            options = next(iter(self._dataset.storage.get_episode_metadata([index])))
            seen = _flat(episode.observations)
            told: Any = seen.get("instruction", [""])
            known = options.get("options", {})
            return RawEpisode(
                columns={name: _values(episode, seen, name) for name in columns},
                instruction=str(told[0]),
                seed=options.get("seed"),
                task=str(known.get("task", "")),
                source=known.get("source"),
            )

    def _columns(self) -> dict[str, Column]:
        space = self._dataset.observation_space
        parts = space.spaces if isinstance(space, spaces.Dict) else {"state": space}
        boxes = {name: one for name, one in parts.items() if isinstance(one, spaces.Box)}
        found = {
            name: Column(
                shape=box.shape or (1,),
                is_picture=box.dtype == np.uint8 and len(box.shape) == 3 and box.shape[-1] == 3,
            )
            for name, box in boxes.items()
        }
        found["actions"] = Column(shape=self._dataset.action_space.shape or (1,))
        found["rewards"] = Column(shape=(1,))
        infos = self._dataset[0].infos or {}
        for name in _INFOS:
            if name in infos:
                found[f"infos/{name}"] = Column(shape=np.asarray(infos[name]).shape[1:] or (1,))
        return found


def _flat(observations: Any) -> dict[str, Any]:
    return observations if isinstance(observations, dict) else {"state": observations}


def _values(episode: Any, seen: dict[str, Any], name: str) -> NDArray:
    """One column, without what was seen after the last tick; infos are of after their tick."""
    if name in ("actions", "rewards"):
        return np.asarray(getattr(episode, name))
    if name.startswith("infos/"):
        return np.asarray(episode.infos[name.removeprefix("infos/")])[1:]
    return np.asarray(seen[name])[:-1]
