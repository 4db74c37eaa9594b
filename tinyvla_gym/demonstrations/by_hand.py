"""Collects a person's demonstrations into the same kind of dataset as an expert's."""

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from tinyvla_gym.data.recorder import Recorder
from tinyvla_gym.demonstrations.opening import open_dataset
from tinyvla_gym.demonstrations.plan import DEMONSTRATION_SEEDS, Plan
from tinyvla_gym.envs.make import make_env
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.events import Listener, Outcome
from tinyvla_gym.intervention import TeleopAgent, piloted
from tinyvla_gym.loop import rollout
from tinyvla_gym.robots.teleop.pilot import Handling
from tinyvla_gym.wrappers import HumanVerdict, RealTime


def collect_by_hand(
    env_id: str,
    out: Path,
    plan: Plan,
    device: str,
    *,
    handling: Handling | None = None,
    env_options: dict[str, Any] | None = None,
    resume: bool = False,
    append: bool = False,
    listeners: Iterable[Listener] = (),
    on_attempt: Callable[[Outcome], None] = lambda _outcome: None,
) -> int:
    """Records a person's episodes, in real time, until there are enough.

    An episode is kept when its task is solved, or when the person says so by a key. One that was
    discarded or failed is played again with the same seed; an interrupted collection goes on with
    ``resume``. Of the plan, the noise does not apply.

    Args:
        env_id: A Gymnasium id of this package.
        out: The dataset's folder, new or empty.
        plan: How many, from which seed, and how long.
        device: See ``piloted``.
        handling: How the hand's motions become the tool's.
        env_options: Keyword arguments for ``gym.make``.
        resume: Go on with an interrupted collection.
        append: Add to a finished dataset.
        listeners: Who else is told.
        on_attempt: Told of every attempt, also of failed ones.

    Returns:
        The number of episodes in the dataset.

    Raises:
        ConfigError: If the env cannot be driven by hand, or the plan is impossible.
        DeviceError: If the device is not there, or is gone; what was recorded is kept.
        OutputError: If ``out`` is in use or cannot be written to.
    """
    plan.check()
    options = plan.env_options | {"action_mode": "ee"} | (env_options or {})
    env = make_env(env_id, **options)
    with closing(env), piloted(env, device, handling=handling) as pilot:
        world: Any = env.unwrapped
        writer = open_dataset(out, world, (env_id,), resume=resume, append=append)
        task = getattr(world, "task", "")
        recorded = {seed for name, seed in writer.recorded if name == task}
        judged = HumanVerdict(RealTime(env), verdict=lambda: pilot.verdict)
        wanted = [seed for seed in DEMONSTRATION_SEEDS[plan.seed :] if seed not in recorded]
        for seed in wanted[: max(plan.episodes - len(recorded), 0)]:
            solved = False
            while not solved:
                recorder = Recorder(writer, task=task)
                outcome = rollout(
                    judged, TeleopAgent(pilot), seed=seed, listeners=[recorder, *listeners]
                )
                solved = outcome.success
                on_attempt(outcome)
        if not len(writer):
            raise ConfigError("Nothing was recorded.")
        writer.finalize()
    return len(writer)
