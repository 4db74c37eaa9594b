"""A subject for the line protocol: ``python fake_subject.py``."""

import os
import sys

from benchmarks.lines import serve


def fail():
    sys.stderr.write("about to fail\n")
    raise ValueError("the gripper fell off")


def chatter():
    sys.stdout.write("a library prints this\n")
    return os.environ["OMP_NUM_THREADS"]


if __name__ == "__main__":
    serve(
        {
            "double": lambda number: 2 * number,
            "fail": fail,
            "chatter": chatter,
            "exit": lambda: os._exit(3),
        }
    )
