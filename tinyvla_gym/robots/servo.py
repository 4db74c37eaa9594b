"""One rig in motion: its arms, the controller that moves them, and what they tell of every tick."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from tinyvla_gym.errors import ActionNotFiniteError
from tinyvla_gym.robots.clearance import Clearance
from tinyvla_gym.robots.codecs import action_names
from tinyvla_gym.robots.controller import Commands, Controller
from tinyvla_gym.robots.controller_facts import TellsFacts
from tinyvla_gym.robots.faults import (
    ActionRefused,
    EnvFaultedError,
    RigFault,
    StartPoseError,
)
from tinyvla_gym.robots.readiness import check_ready
from tinyvla_gym.robots.ring import Ring
from tinyvla_gym.robots.robot import ArmDriver
from tinyvla_gym.robots.rows import (
    ANSWER,
    EVENT,
    answer_row,
    event_row,
    submission_row,
    tick_row,
    write_tick,
)
from tinyvla_gym.robots.spec import RigSpec
from tinyvla_gym.robots.state import ArmState

_HOME_FRAC = 0.15  # share of the joint speed with which arms go home
_WAY_ROWS = 50  # places on the way home at which the arms' distance is looked at
_KEPT_S = 5.0  # ticks that can still be read


class Rings:
    """What a rig tells and is told: ticks, events, answers and faults; submissions."""

    def __init__(self, rig: RigSpec) -> None:
        """Makes room for five seconds."""
        self.ticks = Ring(tick_row(rig), round(_KEPT_S / rig.period_s))
        self.events = Ring(EVENT, 512)
        self.faults = Ring(ANSWER, 8)
        self.answers = Ring(ANSWER, 8)
        self.submissions = Ring(submission_row(len(action_names(rig))), 8)

    def close(self) -> None:
        """Closes the files; the memory lives while something looks at it."""
        for ring in (self.ticks, self.events, self.faults, self.answers, self.submissions):
            ring.close()


class Servo:
    """Ticks one rig. Whoever calls it has the clock: a process of its own, or virtual time."""

    def __init__(self, rig: RigSpec, arms: Sequence[ArmDriver], rings: Rings) -> None:
        """Prepares; see ``connect``."""
        self._rig, self._arms, self._rings = rig, tuple(arms), rings
        self.resets, self.begun_s = 0, 0.0
        self._controller: Controller | None = None
        self._fault: RigFault | None = None
        self._row = np.zeros((), rings.ticks.row)
        self._seen = 0  # submissions
        self._moving: ArmDriver | None = None

    @property
    def fault(self) -> RigFault | None:
        """What the rig is stopped by."""
        return self._fault

    def connect(self, *, live: bool) -> None:
        """Opens all arms; none moves.

        Args:
            live: Whether commands will reach them, so that rig and file must agree.

        Raises:
            ConnectError: If one cannot be reached; none stays open.
            MissingExtraError: If its vendor's library is not installed.
            NotReadyError: If they would move, and the rig is not known well enough for that.
        """
        try:
            for arm in self._arms:
                arm.connect()
            if live:
                self._check_ready()
        except BaseException:
            self.close()
            raise

    def _check_ready(self) -> None:
        told = {
            spec.name: arm.facts()
            for arm, spec in zip(self._arms, self._rig.arms, strict=True)
            if isinstance(arm, TellsFacts)
        }
        if any(spec.driver != "simulated" for spec in self._rig.arms):
            check_ready(self._rig, told)

    def reset(self, now: Callable[[], float], *, recover: bool) -> None:
        """Brings all arms home and makes them stand still there; forgets what was asked.

        One arm moves after the other; meanwhile ``doze`` tells the others to stay.

        Args:
            now: The clock [s].
            recover: Whether to clear a latched fault that software may clear.

        Raises:
            EnvFaultedError: If a fault is latched and ``recover`` is not wanted.
            OperatorRequired: If a person must go to the robot; the fault stays.
            StartPoseError: If an arm stands outside its limits, or the arms would come too near
                each other on their way.
            RigFault: If an arm cannot be moved.
        """
        if self._fault and not recover:
            raise EnvFaultedError(self._fault)
        self._controller = None
        self.resets += 1
        self._recover()
        self._check_way_home(list(self._read(now()).values()))
        for arm, spec in zip(self._arms, self._rig.arms, strict=True):
            speed = _HOME_FRAC * min(spec.arm.joint_speed_rad_s)
            self._moving = arm
            self.doze()
            arm.move_home(np.array(spec.home_rad, np.float64), speed_rad_s=speed)
        self._moving = None
        self.doze()
        now_s = self.begun_s = now()
        self._seen = self._rings.submissions.written
        self._controller = Controller(self._rig, self._read(now_s), now_s)

    def doze(self) -> None:
        """What a driver does while it waits: the other arms are told to stay."""
        for arm in self._arms:
            if arm is not self._moving:
                arm.stay()

    def tick(self, now_s: float, *, alive: bool = True, late_s: float = 0.0) -> None:
        """Reads all arms, decides, and commands all arms.

        Args:
            now_s: The time of this tick [s].
            alive: Whether the program in charge is known to be.
            late_s: By how much the tick came late [s].
        """
        began_s = time.perf_counter()
        if self._controller is None:
            return
        if alive:
            self._controller.heartbeat(now_s)
        self._take(now_s)
        states = self._read(now_s)
        commands = self._controller.tick(now_s, states)
        for arm, command in zip(self._arms, commands.arms, strict=True):
            arm.servo(command)
        self._tell(now_s, list(states.values()), commands)
        row = self._row
        row["time_s"], row["late_s"] = now_s, late_s
        row["spent_s"] = time.perf_counter() - began_s
        self._rings.ticks.write(row)

    def submit(self, now_s: float, due: Sequence[tuple[float, object]]) -> None:
        """Hands actions to the controller; see ``Controller.submit``."""
        assert self._controller is not None, "reset comes first"
        self._controller.submit(now_s, due)

    def hold(self, now_s: float) -> None:
        """All arms decelerate and wait for the next action."""
        if self._controller is not None:
            self._controller.hold(now_s)

    def stop(self) -> None:
        """All arms stop at once, and are no longer controlled."""
        for arm in self._arms:
            arm.stop()

    def close(self) -> None:
        """Closes all arms; they hold."""
        for arm in self._arms:
            arm.close()

    def _recover(self) -> None:
        if self._fault is None:
            return
        if not self._fault.recoverable:
            raise self._fault
        for arm in self._arms:
            arm.recover()
        self._fault = None

    def _read(self, now_s: float) -> dict[str, ArmState]:
        pairs = zip(self._rig.arms, self._arms, strict=True)
        return {spec.name: arm.read(now_s) for spec, arm in pairs}

    def _take(self, now_s: float) -> None:
        """Hands new submissions to the controller, and its answers back."""
        rows, self._seen = self._rings.submissions.since(self._seen)
        for row in rows:
            error = None
            count = int(row["count"])
            due = zip(row["due_s"][:count].tolist(), row["actions"][:count], strict=True)
            try:
                self.submit(now_s, list(due))
            except (ActionRefused, ActionNotFiniteError, EnvFaultedError) as refusal:
                error = refusal
            self._rings.answers.write(answer_row(int(row["number"]), now_s, error))

    def _tell(self, now_s: float, states: list[ArmState], commands: Commands) -> None:
        write_tick(self._row, states, commands)
        for event in commands.events:
            self._rings.events.write(event_row(event))
        if commands.fault is not None and commands.fault is not self._fault:
            self._fault = commands.fault
            self._rings.faults.write(answer_row(self.resets, now_s, commands.fault))

    def _check_way_home(self, states: list[ArmState]) -> None:
        """One arm after the other, straight in joint angles: do they stay apart?"""
        if len(self._rig.arms) != 2:
            return
        here = [state.joints_rad for state in states]
        home = [np.array(arm.home_rad) for arm in self._rig.arms]
        shares = np.linspace(0.0, 1.0, _WAY_ROWS)[:, None]
        ways = [a + shares * (b - a) for a, b in zip(here, home, strict=True)]
        clearance, least_m = Clearance(self._rig), self._rig.limits.arms_hold_m
        for first, second in ((ways[0], here[1][None]), (home[0][None], ways[1])):
            for a in first:
                for b in second:
                    apart_m = clearance.between([a[None], b[None]])
                    if apart_m < least_m:
                        raise StartPoseError(
                            self._rig.arms[0].name,
                            f"on the way home the arms would come within {apart_m:.3f} m",
                            states[0].tcp_position_m.tolist(),
                        )
