"""tinyvla-gym evaluate: success rates, a page and films."""

from dataclasses import dataclass
from pathlib import Path

from tinyvla_gym.cli.console import console, print_results, write_json
from tinyvla_gym.cli.crew import Engine, hired
from tinyvla_gym.cli.progress import progress
from tinyvla_gym.data.atomic import check_writable, save_json
from tinyvla_gym.errors import OutputError
from tinyvla_gym.evaluation.agents import RANDOM_HORIZON, open_policy
from tinyvla_gym.evaluation.evaluate import evaluate, policy_fingerprint
from tinyvla_gym.evaluation.folder import finish, results_path, shards_path, videos_path
from tinyvla_gym.evaluation.playing import ShardPlayer
from tinyvla_gym.evaluation.processes import Crew
from tinyvla_gym.evaluation.protocols import FLAGS, Protocol, named_protocol
from tinyvla_gym.evaluation.report import write_sweep
from tinyvla_gym.evaluation.results import Results
from tinyvla_gym.evaluation.suites import suite_tasks
from tinyvla_gym.evaluation.sweeps import SWEEP_FILE, Point, Sweep, sweep_protocols
from tinyvla_gym.evaluation.told import read_sentences
from tinyvla_gym.events import Outcome


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Play a policy over a suite of tasks and count successes."""

    policy: str = "nano"
    """expert, random, a bundled policy, a checkpoint folder, or a hub id owner/name."""
    suite: str = "mt10"
    """mt10, mt50, ml45-test, demo, a tier (easy, medium, hard, very_hard), mt1:<task>,
    opposites, or reach (the toy)."""
    protocol: str = "native"
    """native, lerobot, evo1 or rlinf; each fixes cameras, horizon, sentences and more."""
    out: Path
    """Folder for results.json, episodes.parquet, report.html and videos/."""
    sweep: str | None = None
    """Vary one thing: replan, delay, sentences or looks; one folder for each of its values."""
    resume: bool = False
    """Go on with an evaluation in that folder that was broken off."""
    episodes: int | None = None
    """Episodes per task; the protocol's own if not given, 50 for native."""
    seed: int | None = None
    """Seed of the first episode, 1,000,000 if not given; the others follow."""
    horizon: int | None = None
    """Control steps per episode; the protocol's own if not given, 500 for native."""
    instructions: str | None = None
    """Sentences: default, train, heldout, blank for none, or file; the protocol's own if not
    given."""
    sentences: Path | None = None
    """Where other people's sentences are: an installation of LeRobot, a LeRobot dataset of
    MetaWorld, or a JSON file {task: sentence}."""
    execute: int | None = None
    """Actions to play per chunk; the policy's own choice if not given."""
    delay: int | None = None
    """Control steps from a look to the first action of its plan; 0 if not given."""
    randomize: str | None = None
    """How pictures vary from episode to episode: light, table, camera, distractors or all."""
    parallel: int = 10
    """Envs per process whose plans share a batch."""
    workers: int = 1
    """Processes, one core each; the result does not depend on it."""
    engine: Engine = "local"
    """local: processes on this machine; ray: a cluster, see --address."""
    address: str | None = None
    """An existing Ray cluster; a local one is started if not given."""
    videos: bool = True
    """Film each task's first episode, and its first failure."""
    any_profile: bool = False
    """Allow pictures drawn otherwise than those the policy was trained on."""
    json: Path | None = None
    """Also write the results to this file."""

    def run(self) -> int:
        """Plays and counts."""
        protocol = self._protocol()
        suite_tasks(self.suite)
        check_writable(results_path(self.out))  # before hours of playing
        with hired(ShardPlayer, self.workers, self.engine, self.address) as crew:
            if self.sweep is not None:
                return self._run_sweep(protocol, crew)
            results = self._one(protocol, self.out, crew)
        print_results(results)
        files = "results.json, episodes.parquet and report.html"
        console.print(f"{files} in {self.out}", soft_wrap=True)
        write_json(self.json, results.to_dict())
        return 0

    def _run_sweep(self, protocol: Protocol, crew: Crew) -> int:
        name = str(self.sweep)
        policy = open_policy(self.policy)
        horizon = policy.spec.horizon if policy else None
        if self.policy == "random":
            horizon = RANDOM_HORIZON
        points = tuple(
            Point(label=label, results=self._one(varied, self.out / f"{name}-{label}", crew))
            for label, varied in sweep_protocols(name, protocol, horizon=horizon).items()
        )
        for point in points:
            console.print(f"{point.label}: {point.results.summary()[0]}", soft_wrap=True)
        sweep = Sweep(name=name, points=points)
        title = f"{self.policy} on {self.suite}: {sweep.axis}"
        write_sweep(sweep, self.out / "report.html", title=title)
        save_json(self.out / SWEEP_FILE, sweep.to_dict())
        console.print(f"{SWEEP_FILE} and report.html in {self.out}", soft_wrap=True)
        write_json(self.json, sweep.to_dict())
        return 0

    def _one(self, protocol: Protocol, out: Path, crew: Crew) -> Results:
        path = results_path(out)
        if not path.exists():
            results = self._play(protocol, out, crew)
            finish(results, out)
            return results
        if not self.resume:
            raise OutputError(path, "it holds results; choose another folder.")
        results = Results.load(path)
        if results.conditions != protocol or results.policy != self.policy:
            raise OutputError(path, "it holds results under other conditions.")
        if results.fingerprint != policy_fingerprint(self.policy):
            raise OutputError(path, f"{self.policy} had other weights then; choose another folder.")
        return results

    def _protocol(self) -> Protocol:
        changes = {name: getattr(self, name) for name in FLAGS}
        protocol = named_protocol(
            self.protocol, suite=self.suite, parallel=self.parallel, **changes
        )
        if protocol.instructions != "file":
            return protocol
        sentences = read_sentences(self.sentences)
        return named_protocol(
            self.protocol,
            suite=self.suite,
            parallel=self.parallel,
            sentences=sentences,
            **changes,
        )

    def _play(self, protocol: Protocol, out: Path, crew: Crew) -> Results:
        title = f"{self.policy} on {self.suite}"
        total = len(suite_tasks(self.suite)) * protocol.episodes
        ended: list[Outcome] = []
        with progress() as show:
            show(title, 0, total)

            def note(task: str, outcome: Outcome) -> None:
                ended.append(outcome)
                solved = sum(one.success for one in ended)
                show(title, len(ended), total, f"{solved} solved, now {task}")

            return evaluate(
                self.policy,
                protocol,
                videos=videos_path(out) if self.videos else None,
                crew=crew,
                shards=shards_path(out),
                resume=self.resume,
                any_profile=self.any_profile,
                on_episode=note,
            )
