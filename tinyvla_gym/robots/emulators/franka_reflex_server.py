"""Serves ``franka-sim``; run by the interpreter of its own environment, which lacks this package.

Arguments: a loopback address, and the arm's model as a MuJoCo file.
"""

import logging
import os
import sys

if __name__ == "__main__":
    address, model = sys.argv[1:]
    os.environ["FR3_MJCF"] = model  # read when the server is made; else it is downloaded
    logging.basicConfig(level=logging.WARNING)
    from franka_sim import FrankaSimServer  # pyright: ignore[reportMissingImports]

    FrankaSimServer(host=address, enforce_motion_limits=True, enforce_comm_constraints=True).start()
