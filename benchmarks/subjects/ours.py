"""Ours: MetaWorld through tinyvla-gym, as ``gym.make`` gives it to a user."""

import resource
import tempfile
from functools import cache
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

import gymnasium as gym
import numpy as np

from benchmarks.lines import serve
from benchmarks.subjects.inputs import flight_actions, packed, random_actions, versions
from tinyvla_gym.chunking import ExpertAgent, RecedingHorizon
from tinyvla_gym.data.lerobot import DatasetWriter
from tinyvla_gym.data.recorder import Recorder
from tinyvla_gym.envs.registration import metaworld_id
from tinyvla_gym.loop import rollout

UNENDING = {"terminate_on_success": False, "horizon": 1_000_000}


def make(task: str, **options: Any) -> Any:
    """A new env, without Gymnasium's checking wrappers."""
    return gym.make(metaworld_id(task), **options).unwrapped


@cache
def unending(task: str, camera: str = "", size: int = 0, profile: str = "fast-2") -> Any:
    """An env that only ``reset`` ends; kept from round to round."""
    cameras = {camera: size} if camera else {}
    return make(task, cameras=cameras, profile=profile, **UNENDING)


@cache
def policy_named(name: str) -> Any:
    """A bundled policy, loaded once."""
    from tinyvla_gym.policies.load import load_policy  # torch, which most benchmarks do without

    return load_policy(name)


def step(tasks: list[str], steps: int, seed: int) -> dict[str, Any]:
    """Steps every task without pictures; returns where that leads and the seconds it takes."""
    seconds, ends = 0.0, {}
    for task in tasks:
        env = unending(task)
        env.reset(seed=seed)
        total, solved, info = 0.0, 0, {}
        actions = random_actions(steps, seed)
        began = perf_counter()
        for action in actions:
            _, reward, _, _, info = env.step(action)
            total += reward
            solved += info["success"]
        seconds += perf_counter() - began
        ends[task] = [*info["privileged"].tolist(), total, float(solved)]
    return {"seconds": seconds, "ends": ends}


def equality(tasks: list[str]) -> float:
    """Largest difference to metaworld over 500 random and 500 expert steps, 3 seeds."""
    largest_difference = import_module("benchmarks.equality").largest_difference
    return max(largest_difference(tasks).values())


def pixels(tasks: list[str], steps: int, seed: int, camera: str, size: int) -> dict[str, Any]:
    """Steps every task with a picture each time; returns the seconds."""
    seconds = 0.0
    for task in tasks:
        env = unending(task, camera, size)
        env.reset(seed=seed)  # and a first picture, which loads what drawing needs
        actions = random_actions(steps, seed)
        began = perf_counter()
        for action in actions:
            env.step(action)
        seconds += perf_counter() - began
    return {"seconds": seconds}


def look(task: str, steps: int, seed: int, camera: str, size: int, profile: str) -> dict[str, Any]:
    """The picture after some random steps."""
    env = unending(task, camera, size, profile)
    env.reset(seed=seed)
    for action in random_actions(steps, seed):
        env.advance(action)
    return packed(env.observe()[f"image_{camera}"])


def look_in_turns(
    tasks: list[str], turns: list[list[int]], steps: int, seed: int, camera: str, size: int
) -> list[list[dict[str, Any]]]:
    """Pictures of several envs that live here together, drawn in each of the given orders."""
    envs = [make(task, cameras={camera: size}, **UNENDING) for task in tasks]
    for env in envs:
        env.reset(seed=seed)
        for action in random_actions(steps, seed):
            env.advance(action)
    key = f"image_{camera}"
    return [[packed(envs[index].observe()[key]) for index in turn] for turn in turns]


def fly(task: str) -> list[list[float]]:
    """The hand's path through the air [m]."""
    env = unending(task)
    env.reset(seed=0)
    return [env.step(action)[-1]["privileged"][:3].tolist() for action in flight_actions()]


def demonstrate(tasks: list[str], seed: int, camera: str, size: int) -> dict[str, Any]:
    """Records one expert episode per task, on disk; returns what happened and the seconds."""
    envs = {task: make(task, cameras={camera: size}, profile="fast-2") for task in tasks}
    first = next(iter(envs.values()))
    look = first.profile
    seconds, ends = 0.0, {}
    with tempfile.TemporaryDirectory() as folder:
        writer = DatasetWriter(
            Path(folder) / "dataset",
            first.interface,
            profile=look.name,
            profile_hash=look.hash,
            env_ids=[metaworld_id(task) for task in tasks],
        )
        for task, env in envs.items():
            env.reset(seed=seed)  # loads what drawing needs
            recorder = Recorder(writer, task=task, keep_failures=True)
            began = perf_counter()
            outcome = rollout(env, ExpertAgent(env), seed=seed, listeners=[recorder])
            seconds += perf_counter() - began
            ends[task] = [outcome.success, outcome.steps]
    return {"seconds": seconds, "ends": ends}


def play(
    task: str, seed: int, policy: str, camera: str, size: int, every: int, horizon: int
) -> dict[str, Any]:
    """One evaluation episode; returns the actions sent, how it ended, and the seconds."""
    sent: list[list[float]] = []
    if policy == "expert":
        env = make(task, cameras={camera: size}, horizon=horizon)
        env.reset(seed=seed)  # loads what drawing needs
        began = perf_counter()
        env.reset(seed=seed)
        over, info = False, {}
        while not over:
            if len(sent) % every == 0:
                env.observe()  # as a policy would that plans so many actions at a time
            _, terminated, truncated, info = env.advance(env.expert_action())
            sent.append(info["sent_action"].tolist())
            over = terminated or truncated
        seconds = perf_counter() - began
        return {"seconds": seconds, "sent": sent, "success": bool(info["success"])}
    planner = policy_named(policy)
    env = make(task, **{**planner.spec.env_options, "horizon": horizon})
    advance = env.advance

    def noted(action: Any) -> Any:
        tick = advance(action)
        sent.append(tick[-1]["sent_action"].tolist())
        return tick

    env.advance = noted  # step() and the loop both come through here
    agent = RecedingHorizon(planner)
    agent.reset(seed=seed)
    agent.act(env.reset(seed=seed)[0])  # the first plan is slow
    began = perf_counter()
    outcome = rollout(env, agent, seed=seed)
    return {"seconds": perf_counter() - began, "sent": sent, "success": outcome.success}


def replay(
    task: str,
    seed: int,
    policy: str,
    sent: list[list[float]],
    camera: str,
    size: int,
    profile: str,
) -> dict[str, Any]:
    """An episode with its actions known: looks and plans as often as the policy did."""
    env = make(task, cameras={camera: size}, profile=profile, horizon=len(sent))
    plan, every = planning(policy)
    env.reset(seed=seed)
    began = perf_counter()
    env.reset(seed=seed)
    success, over, steps = False, False, 0
    while steps < len(sent) and not over:
        if steps % every == 0:
            env.observe()
            plan()
        _, terminated, truncated, info = env.advance(np.array(sent[steps], np.float32))
        success, over = bool(info["success"]), terminated or truncated
        steps += 1
    return {"seconds": perf_counter() - began, "success": success, "steps": steps}


def planning(policy: str) -> tuple[Any, int]:
    """What a policy's plan costs: a call that plans on a blank observation; and how often."""
    if policy == "expert":
        return (lambda: None), EXPERT_LOOKS_EVERY
    planner = policy_named(policy)
    space = planner.spec.interface.observation_space()
    blank = {
        key: "" if key == "instruction" else np.zeros(box.shape, box.dtype)
        for key, box in space.items()
    }
    planner.plan(blank)
    return (lambda: planner.plan(blank)), planner.spec.execute


EXPERT_LOOKS_EVERY = 8
"""The expert reads no pictures; it is charged for those of a policy with chunks of so many."""


def goals(seed: int) -> dict[str, Any]:
    """MT50 with its goals, and the seconds it takes to build."""
    benchmark_goals = import_module("tinyvla_gym.envs.sawyer.goals").benchmark_goals
    began = perf_counter()
    found = benchmark_goals(seed)
    seconds = perf_counter() - began
    return {"seconds": seconds, "goals": {task: np.asarray(found[task]).tolist() for task in found}}


def grow(task: str, extra: int, camera: str, size: int) -> float:
    """Megabytes that each further env of a task adds to this process."""

    def used() -> Any:
        env = make(task, cameras={camera: size})
        env.reset(seed=0)
        env.step(np.zeros(4, np.float32))
        return env

    kept = [used(), used()]
    before = _resident_mb()
    kept += [used() for _ in range(extra)]
    return (_resident_mb() - before) / (len(kept) - 2)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    serve(
        {
            "versions": lambda: versions(
                *("tinyvla-gym", "metaworld", "mujoco", "gymnasium", "numpy", "torch")
            ),
            "step": step,
            "equality": equality,
            "pixels": pixels,
            "look": look,
            "look_in_turns": look_in_turns,
            "fly": fly,
            "demonstrate": demonstrate,
            "play": play,
            "replay": replay,
            "goals": goals,
            "grow": grow,
        }
    )
