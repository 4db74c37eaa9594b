"""Readings of several arms at one instant, whatever the times at which they were taken."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.robots.rotations import rotation_from_rotvec, rotvec_from_rotation
from tinyvla_gym.robots.rows import read_states
from tinyvla_gym.robots.state import ArmState

_LINEAR = ("joints_rad", "joint_speeds_rad_s", "tcp_position_m", "force_n", "gripper_open_frac")


def states_at(rows: NDArray[Any], instant_s: float) -> list[ArmState]:
    """What the arms would have read at an instant.

    Numbers go straight between the two readings around it, rotations about one axis. Before the
    first or after the last reading, that one is given as it is: nothing is foretold.

    Args:
        rows: Ticks in order, at least one, shape (n,); see ``rows.tick_row``.
        instant_s: The instant, on the controller's clock [s].

    Returns:
        One reading per arm, in the rig's order.
    """
    found: list[ArmState] = []
    for arm in range(rows["stamp_s"].shape[1]):
        stamps_s = rows["stamp_s"][:, arm]
        after = int(np.searchsorted(stamps_s, instant_s))
        if after in (0, len(rows)):
            found.append(read_states(rows[min(after, len(rows) - 1)])[arm])
            continue
        before_s, after_s = float(stamps_s[after - 1]), float(stamps_s[after])
        pair = [read_states(rows[index])[arm] for index in (after - 1, after)]
        found.append(_between(*pair, share=(instant_s - before_s) / (after_s - before_s)))
    return found


def _between(before: ArmState, after: ArmState, *, share: float) -> ArmState:
    numbers = {
        name: (1 - share) * getattr(before, name) + share * getattr(after, name)
        for name in (*_LINEAR, "stamp_s")
    }
    turn = rotvec_from_rotation(after.tcp_rotation @ before.tcp_rotation.T)
    rotation = rotation_from_rotvec(share * turn) @ before.tcp_rotation
    return ArmState(**numbers, tcp_rotation=rotation, condition=after.condition)
