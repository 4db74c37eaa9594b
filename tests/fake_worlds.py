"""A toy world that misbehaves on demand, in a module that a worker process can import."""

import os
import signal
import time

from tinyvla_gym.envs.reach import ReachEnv
from tinyvla_gym.errors import UnknownNameError
from tinyvla_gym.wrappers import ExecuteChunk

SLEEP_S = 600


class MoodyReach(ReachEnv):
    """Does a deed in its next step; ``set_attr("deed", ...)`` says which."""

    def __init__(self, **options):
        super().__init__(**options)
        self.deed = "work"

    def step(self, action):
        DEEDS[self.deed]()
        return super().step(action)

    def process(self):
        return os.getpid()

    def setting(self, name):
        return os.environ.get(name)

    def unpicklable(self):
        return lambda: None


def make_moody():
    return MoodyReach(cameras={"top": 8})


def make_short():
    """Episodes of four ticks, which nothing solves."""
    return ReachEnv(cameras={"top": 8, "front": (6, 10)}, horizon=4, instructions="train")


def make_chunked():
    return ExecuteChunk(ReachEnv(cameras={"top": 8}, horizon=7), execute=3)


def make_none():
    raise ValueError("the table has no legs")


def _fail():
    raise ValueError("the gripper fell off")


def _refuse():
    raise UnknownNameError("colour", "blu", ("red", "blue"))


DEEDS = {
    "work": lambda: None,
    "fail": _fail,
    "refuse": _refuse,
    "exit": lambda: os._exit(3),
    "be killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "be stopped": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "sleep": lambda: time.sleep(SLEEP_S),
}
