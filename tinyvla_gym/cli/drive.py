"""tinyvla-gym drive: a policy, a person, or a person over its shoulder drives a rig."""

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import tyro

from tinyvla_gym.cli.console import console, write_json
from tinyvla_gym.cli.picture import TerminalPicture
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.robots.teleop.keyboard import HELP

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
    """keyboard, spacemouse or module:Class of a device, with a comma between those of two arms.
    Beside a policy, the person takes over for as long as the dead-man switch is held; alone, it may
    also be module:function, which is called with the env and returns who acts."""
    record: Path | None = None
    """Dataset to record into: new, empty, or of earlier drives, also of one that was broken off."""
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
        from tinyvla_gym.evaluation.agents import open_policy
        from tinyvla_gym.loop import rollout
        from tinyvla_gym.robots.rig_file import load_rig

        if self.policy is None and self.teleop is None:
            raise ConfigError("Say who drives: --policy, --teleop, or both.")
        rig = load_rig(self.rig)
        policy = open_policy(self.policy) if self.policy else None
        live = _confirm(rig) if self.live else ""
        outcomes, fault = [], None
        with ExitStack() as stack:
            env = self._make(rig, policy, live)  # connects to nothing before its first reset
            played, agent = self._cast(stack, env, policy)
            listeners = self._listeners(stack, env)
            stack.callback(env.close)  # before all else: the arms come to rest
            for seed in range(self.seed, self.seed + self.episodes):
                outcome = rollout(played, agent, seed=seed, listeners=listeners)
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

    def _make(self, rig: Any, policy: Any, live: str) -> Any:
        from tinyvla_gym.envs.make import make_env
        from tinyvla_gym.envs.registration import rig_id
        from tinyvla_gym.policies.policy import check_alive

        if self.episodes < 1 or self.seconds <= 0:
            raise ConfigError("--episodes and --seconds must be positive.")
        return make_env(
            rig_id(rig.arms[0].model),
            rig=rig,
            live=live,
            instruction=self.instruction,
            success=self.success,
            horizon=max(1, round(self.seconds * rig.control_hz)),
            watch=(lambda: check_alive(policy)) if policy else None,
        )

    def _cast(self, stack: ExitStack, env: Any, policy: Any) -> tuple[Any, Any]:
        """The env, ended by the person's keys if there is a person, and who acts in it."""
        from tinyvla_gym.evaluation.agents import make_agent
        from tinyvla_gym.intervention import Intervention, TeleopAgent, piloted
        from tinyvla_gym.wrappers import HumanVerdict

        if self.policy is None and self.teleop is not None and ":" in self.teleop:
            return env, _made(self.teleop, env)
        agent = make_agent(self.policy, policy, env, execute=self.execute) if self.policy else None
        if self.teleop is None:
            return env, agent
        if self.success == "key":
            raise ConfigError("--success key is for policies alone: a person's device has keys.")
        pilot = stack.enter_context(piloted(env, self.teleop))
        judged = HumanVerdict(env, verdict=lambda: pilot.verdict)
        return judged, Intervention(agent, pilot) if agent else TeleopAgent(pilot)

    def _listeners(self, stack: ExitStack, env: Any) -> list[Any]:
        """What a person sees; the recorder of the dataset, and the one at the rig's own rate."""
        by_keys = self.teleop == "keyboard" and console.is_terminal
        watching = [TerminalPicture(HELP)] if by_keys else []
        if self.record is None:
            return watching
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
            resume=True,
        )
        stack.enter_context(writer)  # finalises when all went well
        recorder = Recorder(writer, task=bare.rig.name, keep_failures=True)
        return [NativeListener(self.record / NATIVE, bare), recorder, *watching]


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


def _made(name: str, env: Any) -> Any:
    """Whoever a function of the user's returns for an env."""
    module, _, function = name.partition(":")
    try:
        make = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"--teleop is module:function; {name!r} is none: {error}") from error
    return make(env)
