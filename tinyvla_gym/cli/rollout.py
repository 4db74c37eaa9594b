"""tinyvla-gym rollout: play episodes and film them."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from tinyvla_gym.cli.console import console, env_ids, write_json
from tinyvla_gym.cli.progress import progress
from tinyvla_gym.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """Play episodes of one env, print how they ended, and film them if asked."""

    env: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="ENV")]
    """A Gymnasium id, or a MetaWorld task such as drawer-open."""
    policy: str = "nano"
    """expert, random, a bundled policy, a checkpoint folder, or a hub id owner/name."""
    episodes: int = 1
    """Episodes to play."""
    seed: int = 1_000_000
    """Seed of the first episode; the others follow. Evaluation begins at 1000000."""
    instruction: str | None = None
    """What to tell the policy instead of the env's own sentence."""
    execute: int | None = None
    """Actions to play per chunk; the policy's own choice if not given."""
    video: Path | None = None
    """Folder for one annotated mp4 per episode."""
    any_profile: bool = False
    """Allow pictures drawn otherwise than those the policy was trained on."""
    json: Path | None = None
    """Also write the outcomes to this file."""

    def run(self) -> int:
        """Plays."""
        from tinyvla_gym.envs.make import make_env
        from tinyvla_gym.evaluation.agents import make_agent, open_policy
        from tinyvla_gym.events import Listener
        from tinyvla_gym.live import LiveListener
        from tinyvla_gym.loop import rollout
        from tinyvla_gym.video import VideoListener

        if self.episodes < 1:
            raise ConfigError(f"--episodes must be at least 1, got {self.episodes}.")
        ids = env_ids(self.env)
        if len(ids) > 1:
            raise ConfigError(f"{self.env} is a suite; evaluate plays those.")
        policy = open_policy(self.policy)
        env = make_env(ids[0], **(policy.spec.env_options if policy else {}))
        world: Any = env.unwrapped
        agent = make_agent(self.policy, policy, env, execute=self.execute)
        listeners: list[Listener] = []
        if self.video:
            listeners = [VideoListener(self.video, interface=world.interface, frame=world.render)]
        options = None if self.instruction is None else {"instruction": self.instruction}
        outcomes = []
        with progress() as show:
            show(ids[0], 0, self.episodes)
            live = LiveListener(lambda line: show(ids[0], len(outcomes), self.episodes, line))
            for seed in range(self.seed, self.seed + self.episodes):
                outcome = rollout(
                    env,
                    agent,
                    seed=seed,
                    options=options,
                    listeners=[*listeners, live],
                    any_profile=self.any_profile,
                )
                outcomes.append(outcome)
                ended = (
                    f"solved at step {outcome.success_step}" if outcome.success else "not solved"
                )
                told = f'seed {outcome.seed}  "{outcome.instruction}"  {ended}'
                console.print(told, soft_wrap=True)
                show(ids[0], len(outcomes), self.episodes)
        env.close()
        if self.video:
            console.print(f"films in {self.video}", soft_wrap=True)
        write_json(self.json, {"outcomes": [asdict(outcome) for outcome in outcomes]})
        return 0
