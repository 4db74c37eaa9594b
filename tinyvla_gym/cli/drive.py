"""tinyvla-gym drive: a policy or a person drives a rig, recorded if asked."""

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import tyro

from tinyvla_gym.cli.console import console, write_json
from tinyvla_gym.errors import ConfigError

NATIVE = "native"
"""Folder of a dataset with what the rig told at its own rate."""


@dataclass(frozen=True, kw_only=True)
class Drive:
    """Drive real arms, or, without --live, a simulated shadow of them."""

    rig: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RIG.yaml")]
    """A rig file, or the name of a shipped rig."""
    policy: str | None = None
    """random (near home, never live), a bundled policy, a checkpoint folder, or a hub id."""
    teleop: str | None = None
    """Instead of a policy, keyboard or spacemouse, with a comma between those of two arms; or
    module:function, which is called with the env and returns who acts."""
    record: Path | None = None
    """Dataset to record into: new, empty, or one that earlier drives finished."""
    live: bool = False
    """Move the real arms. Asks for the rig's serial first."""
    episodes: int = 1
    """Episodes to drive."""
    seed: int = 0
    """Seed of the first episode's plans; the others follow."""
    instruction: str = ""
    """What to tell the policy."""
    success: str | None = None
    """key (s and f, each with Enter), or a comparison such as "left_tcp_z_m > 0.3"."""
    seconds: float = 30.0
    """Longest episode [s]."""
    execute: int | None = None
    """Actions to play per chunk; the policy's own choice if not given."""
    json: Path | None = None
    """Also write the outcomes to this file."""

    def run(self) -> int:
        """Drives."""
        from tinyvla_gym.evaluation.agents import make_agent, open_policy
        from tinyvla_gym.loop import rollout
        from tinyvla_gym.robots.rig_file import load_rig

        if (self.policy is None) == (self.teleop is None):
            raise ConfigError("Say who drives: either --policy or --teleop.")
        rig = load_rig(self.rig)
        policy = open_policy(self.policy) if self.policy else None
        live = _confirm(rig) if self.live else ""
        outcomes, fault = [], None
        with ExitStack() as stack:
            env = self._make(rig, live)
            stack.callback(env.close)
            if self.teleop:
                agent = _teleop(self.teleop, env, stack)
            else:
                agent = make_agent(str(self.policy), policy, env, execute=self.execute)
            listeners = self._listeners(stack, env)
            for seed in range(self.seed, self.seed + self.episodes):
                outcome = rollout(env, agent, seed=seed, listeners=listeners)
                outcomes.append(outcome)
                ended = "success" if outcome.success else "no success"
                console.print(f"episode {seed}: {outcome.steps} steps, {ended}", soft_wrap=True)
                fault = env.unwrapped.fault
                if fault:
                    console.print(f"The rig stopped: {fault}", soft_wrap=True)
                    break
        if self.record:
            console.print(f"recorded in {self.record}", soft_wrap=True)
        write_json(self.json, {"outcomes": [asdict(outcome) for outcome in outcomes]})
        return 1 if fault else 0

    def _make(self, rig: Any, live: str) -> Any:
        from tinyvla_gym.envs.make import make_env
        from tinyvla_gym.envs.registration import rig_id

        if self.episodes < 1 or self.seconds <= 0:
            raise ConfigError("--episodes and --seconds must be positive.")
        return make_env(
            rig_id(rig.arms[0].model),
            rig=rig,
            live=live,
            instruction=self.instruction,
            success=self.success,
            horizon=max(1, round(self.seconds * rig.control_hz)),
        )

    def _listeners(self, stack: ExitStack, env: Any) -> list[Any]:
        """The recorder of the dataset, and the one at the rig's own rate."""
        if self.record is None:
            return []
        from tinyvla_gym.data.lerobot.writer import DatasetWriter
        from tinyvla_gym.data.recorder import Recorder
        from tinyvla_gym.envs.rig.native_listener import NativeListener

        bare = env.unwrapped
        writer = DatasetWriter(
            self.record,
            bare.interface,
            profile="",
            profile_hash="",
            robot_type=bare.rig.arms[0].model,
            env_ids=[env.spec.id],
            append=(self.record / "meta" / "info.json").exists(),
        )
        stack.enter_context(writer)  # finalises when all went well
        recorder = Recorder(writer, task=bare.rig.name, keep_failures=True)
        return [NativeListener(self.record / NATIVE, bare), recorder]


def _confirm(rig: Any) -> str:
    """Whoever lets real arms move has to look up and type the rig's serial."""
    for arm in rig.arms:
        console.print(f"Arm {arm.name}, a {arm.model} at {arm.host}, will move.", soft_wrap=True)
    try:
        typed = input(f"Type the serial of {rig.name} to let it: ").strip()
    except EOFError:
        typed = ""
    if typed != rig.serial:
        raise ConfigError("That is not its serial. Nothing has moved.")
    return typed


def _teleop(name: str, env: Any, stack: ExitStack) -> Any:
    if ":" not in name:
        from tinyvla_gym.intervention import TeleopAgent, piloted

        return TeleopAgent(stack.enter_context(piloted(env, name)))
    module, _, function = name.partition(":")
    try:
        make = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"--teleop is module:function; {name!r} is none: {error}") from error
    return make(env)
