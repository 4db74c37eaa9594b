"""What a controller tells and is told, as rows of numpy types: nothing is pickled in a tick."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym import errors
from tinyvla_gym.errors import TinyVLAError
from tinyvla_gym.robots import faults, readiness, robot
from tinyvla_gym.robots.controller import Commands
from tinyvla_gym.robots.faults import RigFault, SafetyEvent
from tinyvla_gym.robots.spec import RigSpec
from tinyvla_gym.robots.state import ArmCommand, ArmState, Condition

Row = NDArray[Any]
"""A numpy record, shape ()."""

ACTIONS_MAX = 64
"""Most actions that can be handed over at once."""
_CONDITIONS = tuple(Condition)
_EVENT_NUMBERS = 12

EVENT = np.dtype(
    [
        ("time_s", "f8"),
        ("arm", "S32"),
        ("rule", "i4"),
        ("name", "S32"),
        ("originals", "i4"),
        ("original", "f8", (_EVENT_NUMBERS,)),
        ("applieds", "i4"),
        ("applied", "f8", (_EVENT_NUMBERS,)),
    ]
)
"""A ``SafetyEvent``; of its tuples the first twelve numbers."""

ANSWER = np.dtype(
    [("number", "i8"), ("time_s", "f8"), ("error", "S32"), ("arm", "S32"), ("text", "S600")]
)
"""What became of a submission, or what the rig is stopped by; no ``error`` is good news."""


def tick_row(rig: RigSpec) -> np.dtype[Any]:
    """One tick: what A arms of J joints said, and what they were told.

    Joint commands of an arm that follows tool poses are NaN, and so are torques of an arm that does
    not tell them. Conditions count as in ``Condition``.
    """
    arms, joints = len(rig.arms), rig.arms[0].arm.joints
    return np.dtype(
        [
            ("time_s", "f8"),
            ("late_s", "f8"),
            ("spent_s", "f8"),
            ("holding", "?"),
            ("faulted", "?"),
            ("stamp_s", "f8", (arms,)),
            ("joints_rad", "f8", (arms, joints)),
            ("joint_speeds_rad_s", "f8", (arms, joints)),
            ("tcp_position_m", "f8", (arms, 3)),
            ("tcp_rotation", "f8", (arms, 3, 3)),
            ("force_n", "f8", (arms, 3)),
            ("external_torques_nm", "f8", (arms, joints)),
            ("gripper_open_frac", "f8", (arms,)),
            ("condition", "i1", (arms,)),
            ("command_joints_rad", "f8", (arms, joints)),
            ("command_position_m", "f8", (arms, 3)),
            ("command_rotation", "f8", (arms, 3, 3)),
            ("command_gripper_open_frac", "f8", (arms,)),
        ]
    )


def submission_row(entries: int) -> np.dtype[Any]:
    """Up to 64 actions of A entries with the times at which they are due."""
    return np.dtype(
        [
            ("number", "i8"),
            ("count", "i4"),
            ("due_s", "f8", (ACTIONS_MAX,)),
            ("actions", "f4", (ACTIONS_MAX, entries)),
        ]
    )


def write_tick(row: Row, states: list[ArmState], commands: Commands) -> None:
    """Fills a tick's row, save its times."""
    row["holding"], row["faulted"] = commands.holding, commands.fault is not None
    for arm, (state, command) in enumerate(zip(states, commands.arms, strict=True)):
        for name in _READ:
            row[name][arm] = getattr(state, name)
        row["condition"][arm] = _CONDITIONS.index(state.condition)
        torques_nm = state.external_torques_nm
        row["external_torques_nm"][arm] = np.nan if torques_nm is None else torques_nm
        joints_rad = command.joints_rad
        row["command_joints_rad"][arm] = np.nan if joints_rad is None else joints_rad
        row["command_position_m"][arm] = command.tcp_position_m
        row["command_rotation"][arm] = command.tcp_rotation
        row["command_gripper_open_frac"][arm] = command.gripper_open_frac


_READ = (
    *("stamp_s", "joints_rad", "joint_speeds_rad_s", "tcp_position_m", "tcp_rotation"),
    *("force_n", "gripper_open_frac"),
)


def read_states(row: Row) -> list[ArmState]:
    """The arms' readings of a tick's row, in the rig's order."""
    return [
        ArmState(
            stamp_s=float(row["stamp_s"][arm]),
            joints_rad=row["joints_rad"][arm].copy(),
            joint_speeds_rad_s=row["joint_speeds_rad_s"][arm].copy(),
            tcp_position_m=row["tcp_position_m"][arm].copy(),
            tcp_rotation=row["tcp_rotation"][arm].copy(),
            force_n=row["force_n"][arm].copy(),
            gripper_open_frac=float(row["gripper_open_frac"][arm]),
            condition=_CONDITIONS[int(row["condition"][arm])],
            external_torques_nm=_told(row["external_torques_nm"][arm]),
        )
        for arm in range(len(row["stamp_s"]))
    ]


def read_commands(row: Row) -> list[ArmCommand]:
    """What the arms were told, in the rig's order."""
    return [
        ArmCommand(
            joints_rad=_told(joints_rad),
            tcp_position_m=row["command_position_m"][arm].copy(),
            tcp_rotation=row["command_rotation"][arm].copy(),
            gripper_open_frac=float(row["command_gripper_open_frac"][arm]),
            release=False,
        )
        for arm, joints_rad in enumerate(row["command_joints_rad"])
    ]


def _told(numbers: NDArray[np.float64]) -> NDArray[np.float64] | None:
    return None if np.isnan(numbers).any() else numbers.copy()


def event_row(event: SafetyEvent) -> Row:
    """An event as a row."""
    row = np.zeros((), EVENT)
    row["time_s"], row["rule"] = event.time_s, event.rule
    row["arm"], row["name"] = event.arm.encode(), event.name.encode()
    for name, numbers in (("original", event.original), ("applied", event.applied)):
        kept = numbers[:_EVENT_NUMBERS]
        row[f"{name}s"] = len(kept)
        row[name][: len(kept)] = kept
    return row


def read_event(row: Row) -> SafetyEvent:
    """The event that a row tells of."""
    return SafetyEvent(
        time_s=float(row["time_s"]),
        arm=row["arm"].item().decode(),
        rule=int(row["rule"]),
        name=row["name"].item().decode(),
        original=tuple(row["original"][: row["originals"]].tolist()),
        applied=tuple(row["applied"][: row["applieds"]].tolist()),
    )


def answer_row(number: int, now_s: float, error: TinyVLAError | None) -> Row:
    """An answer, or a fault, as a row."""
    row = np.zeros((), ANSWER)
    row["number"], row["time_s"] = number, now_s
    if error is not None:
        row["error"], row["text"] = type(error).__name__.encode(), str(error).encode()[:600]
        row["arm"] = getattr(error, "arm", "").encode()
    return row


def read_error(row: Row) -> TinyVLAError | None:
    """The error that a row tells of, of its own type and with its own words."""
    name, text = row["error"].item().decode(), row["text"].item().decode(errors="replace")
    if not name:
        return None
    places = (faults, errors, readiness, robot)
    kind = next((getattr(one, name) for one in places if hasattr(one, name)), TinyVLAError)
    error = kind.__new__(kind)
    error.args = (text,)
    if isinstance(error, RigFault):
        error.arm, error.problem = row["arm"].item().decode(), text
    return error
