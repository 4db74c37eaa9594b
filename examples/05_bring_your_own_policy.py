"""Any object with four methods is a policy: check it, then evaluate it like ours.

    python examples/05_bring_your_own_policy.py

The last line reads ``solved N of 10 with a policy of twenty lines``.
"""

import gymnasium as gym
import numpy as np

from tinyvla_gym import RecedingHorizon, rollouts
from tinyvla_gym.contracts import check_policy
from tinyvla_gym.interface import Interface
from tinyvla_gym.policies.policy import PolicySpec


class TowardsMiddle:
    """Moves the hand towards the middle of its workspace, whatever it is told."""

    def __init__(self, interface: Interface) -> None:
        self.spec = PolicySpec(name="towards-middle", interface=interface, horizon=4, execute=4)
        self._middle = np.add(interface.state_low, interface.state_high) / 2

    def reset(self, *, seed: int | None = None) -> None:
        """Has nothing to forget."""

    def plan(self, observation: dict) -> np.ndarray:
        """Four steps straight ahead, shape (4, A)."""
        return self.plan_batch([observation])[0]

    def plan_batch(self, observations: list, *, noise: np.ndarray | None = None) -> np.ndarray:
        """The same for N envs, shape (N, 4, A)."""
        states = np.stack([seen["state"] for seen in observations])
        motion = np.clip(10 * (self._middle - states), -1, 1)
        return np.repeat(motion[:, None], 4, axis=1).astype(np.float32)


if __name__ == "__main__":
    envs = [gym.make("TinyVLA/Reach-v0") for _ in range(2)]
    policy = TowardsMiddle(envs[0].unwrapped.interface)
    check_policy(policy)
    outcomes = rollouts(envs, RecedingHorizon(policy), seeds=range(10))
    solved = sum(outcome.success for outcome in outcomes)
    print(f"solved {solved} of 10 with a policy of twenty lines")
