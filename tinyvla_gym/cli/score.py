"""tinyvla-gym score: a person scores episodes, without knowing who plays."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyvla_gym.cli.console import console, env_ids, print_results, write_json
from tinyvla_gym.cli.picture import TerminalPicture
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.evaluation.compare import compare
from tinyvla_gym.evaluation.scored import ScoredEpisodes
from tinyvla_gym.events import Outcome
from tinyvla_gym.wrappers import RealTime


@dataclass(frozen=True, kw_only=True)
class Score:
    """Play two policies in hidden order; a person says s, f or d after each episode.

    On a terminal, the cameras are shown meanwhile, at the control rate.
    """

    policies: tuple[str, ...]
    """One or two: bundled names, checkpoint folders, hub ids, or random."""
    env: str
    """A task or a Gymnasium id, simulated or real."""
    out: Path
    """Folder for the journal, and for one evaluation of each policy, a/ and b/."""
    episodes: int = 20
    """Episodes of each policy."""
    seed: int = 1_000_000
    """Seed of the first episode; the others follow."""
    resume: bool = False
    """Go on with the journal in that folder."""
    json: Path | None = None
    """Also write the results to this file."""

    def run(self) -> int:
        """Plays, asks, counts."""
        if not 1 <= len(self.policies) <= 2:
            raise ConfigError(f"Give one policy or two, not {len(self.policies)}.")
        ids = env_ids(self.env)
        if len(ids) != 1:
            raise ConfigError(f"A person scores one env at a time, not {len(ids)}: {self.env}.")
        session = ScoredEpisodes(
            policies=self.policies,
            env_id=ids[0],
            out=self.out,
            episodes=self.episodes,
            seed=self.seed,
        )
        watched: dict[str, Any] = {"listeners": [_Unjudged("")], "wrap": RealTime}
        shown = watched if console.is_terminal else {}
        results = session.run(ask=_ask, resume=self.resume, **shown)
        for one in results:
            print_results(one)
        if len(results) == 2:
            for line in compare(*results).summary():
                console.print(line, soft_wrap=True)
        write_json(self.json, {one.policy: one.to_dict() for one in results})
        return 0


class _Unjudged(TerminalPicture):
    """Shows an episode, and not what the env thinks of it."""

    def on_end(self, outcome: Outcome | None) -> None:
        """Says nothing: the person judges."""


def _ask(question: str) -> str:
    try:
        return console.input(question)
    except EOFError as end:  # Ctrl-D, or the end of a file of answers
        raise KeyboardInterrupt from end
