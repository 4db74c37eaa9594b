"""Somebody who drives a pair of arms, for tests of ``--teleop``."""


class Lifter:
    """A person, as far as the loop can tell: lifts the left tool and closes its gripper."""

    source = "human"
    planned = True

    def __init__(self, env):
        self._ticks = 0

    def reset(self, *, seed=None):
        self._ticks = 0

    def needs_observation(self):
        return True

    def act(self, observation):
        self._ticks += 1
        if self._ticks == 1:
            self._home = observation["state"].copy()
        action = self._home.copy()
        action[2] += min(0.05, 0.005 * self._ticks)
        action[9] = 0.3
        return action
