"""The reference: metaworld alone, with Gymnasium's renderer."""

# pyright: reportAttributeAccessIssue=false
# (mujoco ships no types)

import pickle
import warnings
from functools import cache
from time import perf_counter
from typing import Any

import metaworld
import mujoco
import numpy as np
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.policies import ENV_POLICY_MAP

from benchmarks.lines import serve
from benchmarks.subjects.inputs import packed, random_actions, versions, world_seed

HORIZON = 500


def make(task: str, **options: Any) -> Any:
    """An env with what MT1 sets for its tasks, save that goals follow the seed."""
    env: Any = ALL_V3_ENVIRONMENTS[f"{task}-v3"](**options)
    env._set_task_called = True
    env._freeze_rand_vec = False
    env.seeded_rand_vec = True
    env._partially_observable = False
    del env.sawyer_observation_space  # cached for hidden goals
    return env


def with_camera(task: str, camera: str, size: int) -> Any:
    """An env that draws."""
    return make(task, render_mode="rgb_array", camera_name=camera, width=size, height=size)


def reset(env: Any, seed: int) -> Any:
    """Begins the episode of ours with this seed; returns its first observation."""
    env.seed(world_seed(seed))
    env.reset()
    # Objects are moved at reset; where that puts them is recomputed, as ours does.
    mujoco.mj_kinematics(env.model, env.data)
    mujoco.mj_comPos(env.model, env.data)
    mujoco.mj_camlight(env.model, env.data)
    now = env._get_curr_obs_combined_no_goal()
    env._prev_obs = now
    return np.concatenate([now, now, env._get_pos_goal()])


@cache
def kept(task: str) -> Any:
    """An env without pictures, kept from round to round."""
    return make(task)


def step(tasks: list[str], steps: int, seed: int) -> dict[str, Any]:
    """See ``ours.step``."""
    seconds, ends = 0.0, {}
    for task in tasks:
        env = kept(task)
        reset(env, seed)
        total, solved, seen = 0.0, 0.0, np.empty(0)
        actions = random_actions(steps, seed)
        began = perf_counter()
        for action in actions:
            seen, reward, _, _, info = env.step(action)
            total += float(reward)
            solved += info["success"]
        seconds += perf_counter() - began
        ends[task] = [*seen.tolist(), total, float(solved)]
    return {"seconds": seconds, "ends": ends}


def pixels(tasks: list[str], steps: int, seed: int, camera: str, size: int) -> dict[str, Any]:
    """See ``ours.pixels``."""
    seconds = 0.0
    for task in tasks:
        env = with_camera(task, camera, size)  # one at a time: two would disturb each other
        reset(env, seed)
        env.render()  # loads what drawing needs
        actions = random_actions(steps, seed)
        began = perf_counter()
        for action in actions:
            env.step(action)
            env.render()
        seconds += perf_counter() - began
        env.close()
    return {"seconds": seconds}


def look(task: str, steps: int, seed: int, camera: str, size: int) -> dict[str, Any]:
    """The picture after some random steps, turned upright."""
    env = with_camera(task, camera, size)
    reset(env, seed)
    for action in random_actions(steps, seed):
        env.step(action)
    picture = env.render()[::-1, ::-1]
    env.close()
    return packed(picture)


def look_in_turns(
    tasks: list[str], turns: list[list[int]], steps: int, seed: int, camera: str, size: int
) -> list[list[dict[str, Any]]]:
    """See ``ours.look_in_turns``; a vector env of Gymnasium's draws like this."""
    envs = [with_camera(task, camera, size) for task in tasks]
    for env in envs:
        reset(env, seed)
        for action in random_actions(steps, seed):
            env.step(action)
    return [[packed(envs[index].render()[::-1, ::-1]) for index in turn] for turn in turns]


def demonstrate(tasks: list[str], seed: int, camera: str, size: int) -> dict[str, Any]:
    """Plays one expert episode per task and keeps its frames in memory; see ``ours``."""
    seconds, ends = 0.0, {}
    for task in tasks:
        env = with_camera(task, camera, size)
        expert = ENV_POLICY_MAP[f"{task}-v3"]()
        reset(env, seed)
        env.render()
        began = perf_counter()
        seen = reset(env, seed)
        frames, success = [env.render()], False
        while not success and len(frames) <= HORIZON:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it asks for more than 1, which is clipped
                asked = expert.get_action(seen)
            seen, _, _, _, info = env.step(np.clip(asked, -1, 1).astype(np.float32))
            frames.append(env.render())
            success = bool(info["success"])
        seconds += perf_counter() - began
        ends[task] = [success, len(frames) - 1]
        env.close()
    return {"seconds": seconds, "ends": ends}


def goals(seed: int) -> dict[str, Any]:
    """MT50 with its goals, and the seconds it takes to build."""
    began = perf_counter()
    benchmark = metaworld.MT50(seed=seed)
    seconds = perf_counter() - began
    found: dict[str, list[list[float]]] = {}
    for task in benchmark.train_tasks:
        goal = pickle.loads(task.data)["rand_vec"]  # made above, in this process
        found.setdefault(task.env_name.removesuffix("-v3"), []).append(np.asarray(goal).tolist())
    return {"seconds": seconds, "goals": found}


if __name__ == "__main__":
    serve(
        {
            "versions": lambda: versions("metaworld", "mujoco", "gymnasium", "numpy"),
            "step": step,
            "pixels": pixels,
            "look": look,
            "look_in_turns": look_in_turns,
            "demonstrate": demonstrate,
            "goals": goals,
        }
    )
