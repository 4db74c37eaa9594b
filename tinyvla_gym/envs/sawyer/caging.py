"""MetaWorld's reward for bringing the fingers around an object, in plain numbers."""

import math
from typing import Any

import numpy as np
from metaworld.utils.reward_utils import hamacher_product
from numpy.typing import NDArray

from tinyvla_gym.envs.sawyer.arithmetic import norm, tolerance


def caging(
    sim: Any,
    action: NDArray[np.float32],
    obj_pos: NDArray[np.float64],
    obj_radius: float,
    pad_success_thresh: float,
    object_reach_radius: float,
    xz_thresh: float,
    desired_gripper_effort: float = 1.0,
    high_density: bool = False,
    medium_density: bool = False,
) -> Any:
    """``SawyerXYZEnv._gripper_caging_reward``, whose comments explain it, to the last bit.

    Args:
        sim: The simulator, which knows where its fingers are and were.
        action: The hand's motion and the gripper's effort, shape (4,).
        obj_pos: The object [m], shape (3,).
        obj_radius: How far a pad stays from the object's middle when it touches [m].
        pad_success_thresh: From where on a pad counts as beside the object [m].
        object_reach_radius: From where on the object counts as reached [m].
        xz_thresh: From where on the hand counts as above the object [m].
        desired_gripper_effort: The effort that counts as closed.
        high_density: Whether caging counts without grasping.
        medium_density: Whether reaching counts without caging.
    """
    if high_density and medium_density:
        raise ValueError("Can only be either high_density or medium_density")
    (x, y, z), (x0, y0, z0) = obj_pos.tolist(), sim.obj_init_pos.tolist()
    tcp, tcp0 = sim.tcp_center, sim.init_tcp
    beside = [
        tolerance(
            abs(pad - y),
            (obj_radius, pad_success_thresh),
            abs(abs(pad - y0) - pad_success_thresh),
            "long_tail",
        )
        for pad in sim.pads_y_m()
    ]
    tcp_x, _, tcp_z = tcp.tolist()
    tcp0_x, _, tcp0_z = tcp0.tolist()
    above = tolerance(
        _length(tcp_x - x, tcp_z - z),
        (0, xz_thresh),
        _length(x0 - tcp0_x, z0 - tcp0_z) - xz_thresh,
        "long_tail",
    )
    closed = min(max(0, action[-1]), desired_gripper_effort) / desired_gripper_effort
    around = hamacher_product(hamacher_product(*beside), above)
    both = hamacher_product(around, closed if around > 0.97 else 0.0)
    if high_density:
        both = (both + around) / 2
    if medium_density:
        margin = abs(norm(sim.obj_init_pos - tcp0) - object_reach_radius)
        reach = tolerance(norm(obj_pos - tcp), (0, object_reach_radius), margin, "long_tail")
        both = (both + reach) / 2
    return both


def _length(x: float, z: float) -> float:
    across = np.array((x, z))
    return math.sqrt(across.dot(across))  # numpy's sum of squares, for its last bit
