"""Whether our MetaWorld computes what metaworld 3.1.1 does; every speed ratio rests on this."""

import pickle
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import metaworld
import numpy as np
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.policies import ENV_POLICY_MAP
from numpy.typing import NDArray

from tinyvla_gym.envs.registration import METAWORLD_TASKS
from tinyvla_gym.envs.sawyer.goals import benchmark_goals
from tinyvla_gym.envs.sawyer.simulator import make_simulator

STATE = ("qpos", "qvel", "qacc_warmstart", "ctrl", "mocap_pos", "mocap_quat", "xpos", "geom_xpos")
"""The parts of MuJoCo's state that are compared beside observation, reward and success."""


def plain_simulator(task: str) -> Any:
    """Builds metaworld's own env, with goals that follow its seed and a visible goal.

    Args:
        task: MetaWorld's name without suffix: ``drawer-open``.
    """
    sim: Any = ALL_V3_ENVIRONMENTS[f"{task}-v3"]()
    sim._set_task_called = True
    sim._freeze_rand_vec = False
    sim.seeded_rand_vec = True
    sim._partially_observable = False
    del sim.sawyer_observation_space  # cached for hidden goals
    sim.max_path_length = np.inf
    return sim


def largest_difference(
    tasks: Iterable[str] = METAWORLD_TASKS,
    *,
    seeds: Iterable[int] = (0, 1, 2),
    random_steps: int = 500,
    expert_steps: int = 500,
) -> dict[str, float]:
    """Plays the same actions in both simulators and compares all that they say.

    Args:
        tasks: MetaWorld's names without suffix.
        seeds: Each begins two episodes per task, one of random and one of expert actions.
        random_steps: Ticks of uniform actions from -1.2 to 1.2, a few of which are clipped.
        expert_steps: Ticks of metaworld's scripted policy.

    Returns:
        For each task the largest absolute difference in observation, reward, success or state;
        0.0 means equal to the last bit.
    """
    return {
        task: max(differences(task, tuple(seeds), random_steps, expert_steps)) for task in tasks
    }


def largest_goal_difference(seed: int) -> float:
    """Draws MT50's goals in metaworld and without simulating, and compares them.

    Args:
        seed: The benchmark's seed.

    Returns:
        The largest absolute difference [m]; infinite if tasks or their order differ.
    """
    theirs: dict[str, list[NDArray[np.float64]]] = {}
    for task in metaworld.MT50(seed=seed).train_tasks:
        goal = pickle.loads(task.data)["rand_vec"]
        theirs.setdefault(task.env_name.removesuffix("-v3"), []).append(goal)
    ours = benchmark_goals(seed)
    if list(ours) != list(theirs):
        return float("inf")
    return max(float(np.abs(ours[task] - theirs[task]).max()) for task in ours)


def differences(
    task: str, seeds: Iterable[int], random_steps: int, expert_steps: int
) -> Iterator[float]:
    """Yields the largest difference after each reset and each tick; see ``largest_difference``."""
    plain, fast, expert = plain_simulator(task), make_simulator(task), ENV_POLICY_MAP[f"{task}-v3"]
    for seed in seeds:
        rng = np.random.default_rng(seed)
        for steps, policy in ((random_steps, None), (expert_steps, expert())):
            plain.seed(seed)
            fast.seed(seed)
            (seen, _), (seen_fast, _) = plain.reset(), fast.reset()
            yield _apart(seen, seen_fast, plain, fast)
            for _ in range(steps):
                action = rng.uniform(-1.2, 1.2, 4) if policy is None else _ask(policy, seen)
                action = action.astype(np.float32)
                seen, reward, _, _, info = plain.step(action)
                seen_fast, reward_fast, _, _, info_fast = fast.step(action)
                said = np.array([reward, info["success"]], np.float64)
                said_fast = np.array([reward_fast, info_fast["success"]], np.float64)
                yield _apart(np.append(seen, said), np.append(seen_fast, said_fast), plain, fast)


def _ask(policy: Any, seen: NDArray[np.float64]) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Constant\(s\) may be too high", UserWarning)
        return np.clip(policy.get_action(seen.copy()), -1.0, 1.0)


def _apart(
    said: NDArray[np.float64], said_fast: NDArray[np.float64], plain: Any, fast: Any
) -> float:
    pairs = [(said, said_fast)]
    pairs += [(getattr(plain.data, name), getattr(fast.data, name)) for name in STATE]
    apart = max(np.nan_to_num(np.abs(one - other), nan=np.inf).max() for one, other in pairs)
    return float(apart)
