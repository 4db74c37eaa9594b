"""From policies and an env to evaluations that a person has scored."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinyvla_gym.envs.make import make_env
from tinyvla_gym.errors import OutputError
from tinyvla_gym.evaluation.agents import make_agent, open_policy
from tinyvla_gym.evaluation.evaluate import policy_fingerprint, versions
from tinyvla_gym.evaluation.folder import finish
from tinyvla_gym.evaluation.protocols import Protocol
from tinyvla_gym.evaluation.results import Results
from tinyvla_gym.evaluation.scoring import Scores, Trial, blind_order, score, scored_task
from tinyvla_gym.events import Listener, Outcome
from tinyvla_gym.loop import rollout


@dataclass(frozen=True, kw_only=True)
class ScoredEpisodes:
    """A person's scores of one or two policies on one env.

    Attributes:
        policies: Who plays.
        env_id: Where.
        out: Folder for the journal, and for the evaluations ``a`` and ``b``.
        episodes: Of each policy.
        seed: The first episode's; the others follow.
    """

    policies: tuple[str, ...]
    env_id: str
    out: Path
    episodes: int
    seed: int

    def run(
        self,
        *,
        ask: Callable[[str], str],
        resume: bool,
        listeners: Sequence[Listener] = (),
        wrap: Callable[[Any], Any] = lambda env: env,
    ) -> list[Results]:
        """Plays what has no score yet, asks about it, and writes the evaluations.

        Args:
            ask: Shows a question and returns a key.
            resume: Go on with a journal that is there.
            listeners: Who else is told of what happens; they must not tell who plays.
            wrap: Wraps each env, so that a simulator keeps a pace at which a person can watch.

        Raises:
            OutputError: If there is a journal and nobody asked to go on.
            TinyVLAError: If a policy cannot be loaded or does not fit the env.
        """
        journal = self.out / "scores.jsonl"
        if journal.exists() and not resume:
            raise OutputError(journal, "it holds scores; add --resume, or choose another folder.")
        prints = {policy: policy_fingerprint(policy) for policy in self.policies}
        facts = {**asdict(self), "out": "", "fingerprints": prints}
        scores = Scores(journal, facts)
        seeds = range(self.seed, self.seed + self.episodes)
        trials = blind_order(self.policies, seeds, draw=self.seed)
        played: dict[str, Any] = {}

        def play(trial: Trial) -> Outcome:
            if trial.policy not in played:
                policy = open_policy(trial.policy)
                options = dict(policy.spec.env_options) if policy else {}
                env = make_env(self.env_id, **options)
                agent = make_agent(trial.policy, policy, env)
                played[trial.policy] = wrap(env), agent
            env, agent = played[trial.policy]
            return rollout(env, agent, seed=trial.seed, listeners=listeners)

        scored = score(trials, play, ask, scores)
        results = [self._results(policy, prints[policy], scored) for policy in self.policies]
        for letter, one in zip("ab", results, strict=False):
            finish(one, self.out / letter)
        return results

    def _results(self, policy: str, print_: str, scored: dict[Trial, Outcome]) -> Results:
        task = self.env_id.removeprefix("TinyVLA/")
        protocol = Protocol(
            suite=task, episodes=self.episodes, seed=self.seed, judge="person", parallel=1
        )
        steps = max(outcome.steps for outcome in scored.values())
        return Results(
            policy=policy,
            fingerprint=print_,
            protocol=protocol.to_dict(),
            tasks={task: scored_task(task, policy, scored, horizon=steps)},
            seconds=0.0,
            workers=1,
            versions=versions(),
        )
