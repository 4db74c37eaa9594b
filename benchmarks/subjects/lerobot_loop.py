"""LeRobot's MetaWorld env, its file as it was released, in the interpreter that ours runs in.

So both sides share metaworld, MuJoCo and torch, and the same policy can be charged to both.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.lines import serve
from benchmarks.peers import lerobot_site, lerobot_version
from benchmarks.subjects.inputs import versions, world_seed
from benchmarks.subjects.ours import planning


def lerobot_metaworld() -> Any:
    """LeRobot's module, without the rest of LeRobot, which it needs for the name of a type."""
    stand_in: Any = ModuleType("lerobot.processor")
    stand_in.RobotObservation = dict
    sys.modules["lerobot.processor"] = stand_in
    spec = spec_from_file_location(
        "lerobot_metaworld", lerobot_site() / "lerobot/envs/metaworld.py"
    )
    if spec is None or spec.loader is None:
        raise FileNotFoundError(lerobot_site())
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def replay(task: str, seed: int, policy: str, sent: list[list[float]]) -> dict[str, Any]:
    """An episode as LeRobot evaluates: a picture of its size at every step; see ``ours``."""
    plan, every = planning(policy)
    env = lerobot_metaworld().MetaworldEnv(f"{task}-v3", obs_type="pixels_agent_pos")
    env._env.seeded_rand_vec = True  # its seeds mean nothing otherwise
    _begin(env, seed)
    began = perf_counter()
    _begin(env, seed)
    steps, over, success = 0, False, False
    while steps < len(sent) and not over:
        if steps % every == 0:
            plan()
        _, _, over, _, info = env.step(np.array(sent[steps], np.float32))
        success = bool(info["is_success"])
        steps += 1
    seconds = perf_counter() - began
    env.close()
    return {"seconds": seconds, "success": success, "steps": steps}


def _begin(env: Any, seed: int) -> None:
    env._env.seed(world_seed(seed))
    env.reset()


if __name__ == "__main__":
    serve(
        {
            "versions": lambda: {**versions("metaworld", "mujoco"), "lerobot": lerobot_version()},
            "replay": replay,
        }
    )
