"""One or two arms as an env: real, a simulated shadow of real ones, or simulated throughout."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym import pose
from tinyvla_gym.envs.env import ManipulationEnv, Tick
from tinyvla_gym.envs.registration import RIG_IDS, rig_id
from tinyvla_gym.envs.rig.sights import Sight, Sights
from tinyvla_gym.envs.rig.space import RigActions
from tinyvla_gym.envs.rig.success import Keys, Success, read_success
from tinyvla_gym.errors import ConfigError
from tinyvla_gym.interface import ActionMode, Observation
from tinyvla_gym.robots.body import Body, VirtualBody
from tinyvla_gym.robots.camera import CameraSource, camera_source
from tinyvla_gym.robots.codecs import action_names, encode_state, rig_interface
from tinyvla_gym.robots.faults import ActionFormatError, EnvFaultedError, RigFault
from tinyvla_gym.robots.readiness import check_live
from tinyvla_gym.robots.rig_file import load_rig
from tinyvla_gym.robots.rows import read_commands, read_event
from tinyvla_gym.robots.schedule import Grid, due_times
from tinyvla_gym.robots.spec import RigSpec

Array = NDArray[np.float32]

HORIZON, _WATCH_S = 450, 0.01  # half a minute; between two looks at whether somebody plans


class RigEnv(ManipulationEnv):
    """A rig that obeys on a fixed grid of control ticks.

    ``step`` sends an action, due at the next grid point, and returns what is seen there. The
    controller beside it never trusts an action (``docs/rigs.md`` lists its rules): a refused one
    raises, and the arms hold. A fault truncates the episode; then ``step`` raises
    ``EnvFaultedError`` until ``reset(options={"recover": True})``.

    Real arms move only if ``live`` is the rig's serial. Otherwise their sensors are read, and
    what moves is a simulated shadow of them. A rig whose arms are ``simulated`` runs in virtual
    time, and its episodes repeat.

    ``info`` adds: ``time_s`` of the observed instant since the episode began, ``ages_s`` of every
    source's news, ``safety`` (a list of ``SafetyEvent``), ``fault`` (None or a ``RigFault``),
    ``late_ms`` by which the step ended after the grid point that it was meant for.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}  # noqa: RUF012 (Gymnasium's name)

    def __init__(
        self,
        *,
        rig: str | Path | RigSpec,
        make: str = "",
        live: str = "",
        action_mode: ActionMode | None = None,
        instruction: str = "",
        success: str | Success | None = None,
        horizon: int = HORIZON,
        terminate_on_success: bool = True,
        watch: Callable[[], None] | None = None,
        body: Body | None = None,
        cameras: Mapping[str, CameraSource] | None = None,
        render_mode: str | None = "rgb_array",
    ) -> None:
        """Prepares; nothing is connected before the first ``reset``.

        Args:
            rig: A rig file, the name of a shipped rig, or the facts themselves.
            make: What its arms' models begin with; set by the id.
            live: The rig's serial, to let real arms move.
            action_mode: ``ee`` for tool poses, ``native`` for joint angles; the file's when None.
            instruction: What the task is called, unless ``reset`` says otherwise.
            success: See ``read_success``.
            horizon: Control ticks after which the episode is truncated.
            terminate_on_success: Whether success ends the episode.
            watch: Called a hundred times a second while a step waits; what it raises ends the step.
            body: Where the controller runs, for twins and tests; found from the rig when None.
            cameras: Sources by camera's name, for twins and tests; as the rig says when None.
            render_mode: ``rgb_array``; ``render()`` shows the cameras side by side.

        Raises:
            ConfigError: If the rig is of another make, or ``live`` is not its serial.
        """
        self.rig = _in_mode(rig if isinstance(rig, RigSpec) else load_rig(rig), action_mode)
        _check_make(self.rig, make)
        check_live(self.rig, live)
        super().__init__(
            rig_interface(self.rig),
            name=self.rig.name,
            horizon=horizon,
            terminate_on_success=terminate_on_success,
        )
        self.live = bool(live)
        self.render_mode = render_mode
        self.action_space = RigActions(self.rig, live=self.live)
        self.body = body or _find_body(self.rig, live=self.live)
        sources = {
            camera.name: camera_source(camera, now=self.body.now) for camera in self.rig.cameras
        }
        self._sights = Sights(self.rig, self.body, sources if cameras is None else dict(cameras))
        self._own_sentence = instruction
        self._success = read_success(success, self.interface.state)
        self._watch = watch
        self._fault: RigFault | None = None
        self._grid = Grid(start_s=0.0, period_s=1.0 / self.rig.control_hz)
        self._number = self._heard = 0
        self._scheduled: deque[Array] = deque()
        self._sight: Sight | None = None

    @property
    def fault(self) -> RigFault | None:
        """What the rig is stopped by."""
        return self._fault

    def advance(self, action: Array) -> Tick:
        """See ``ManipulationEnv``.

        Raises:
            EnvFaultedError: If a fault is latched.
            ActionRefused: If the safety filter refuses the action; the arms hold, and another
                action may follow.
        """
        if self._fault:
            raise EnvFaultedError(self._fault)
        action = self._shaped(action)
        if self._running and not np.isfinite(action).all():
            self._submit({0: self.body.now()}, [action])  # refused, and the arms hold
        tick = super().advance(action)
        if not self._running:
            self.body.park()
        return tick

    def schedule(self, chunk: Array) -> None:
        """Tells the controller of the next h actions, so that it drives through them.

        ``advance`` must follow for each; one that differs replaces what was told from there on.

        Args:
            chunk: Shape (h, A).

        Raises:
            ActionRefused: If one action is refused; none is carried out.
        """
        if self._fault:
            raise EnvFaultedError(self._fault)
        rows = [self._shaped(row) for row in chunk]
        due = due_times(
            len(rows),
            observed_s=self._grid.time_s(self._number),
            now_s=self.body.now(),
            grid=self._grid,
            lag_s=max(arm.lag_s for arm in self.rig.arms),
        )
        self._submit(due, rows)
        self._scheduled = deque(rows)

    def observe(self) -> Observation:
        """What was seen at the last grid point; see ``ManipulationEnv``."""
        assert self._sight is not None, "reset comes first"
        pictures = {
            f"image_{name}": frame.picture.copy() for name, frame in self._sight.frames.items()
        }
        state = encode_state(self.rig.codec, self._sight.states)
        state = np.clip(state, self.interface.state_low, self.interface.state_high)
        return {
            **pictures,
            "state": state.astype(np.float32),
            "instruction": self.instruction,
        }

    def render(self) -> NDArray[np.uint8]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The cameras side by side, shape (H, W, 3)."""
        assert self._sight is not None, "reset comes first"
        pictures = [frame.picture for frame in self._sight.frames.values()]
        if not pictures:
            raise ConfigError(f"{self.name} has no camera to show.")
        high = max(len(picture) for picture in pictures)
        return np.hstack([np.pad(one, ((0, high - len(one)), (0, 0), (0, 0))) for one in pictures])

    def close(self) -> None:
        """Lets go of arms and cameras; the arms hold."""
        self.body.close()
        self._sights.close()

    def _begin(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        recover = bool(options.pop("recover", False))
        if options:
            raise ConfigError(f"{self.name} knows no reset option {sorted(options)}.")
        if self._fault and not recover:
            raise EnvFaultedError(self._fault)
        self.body.reset(recover=recover)
        self._fault = None
        self._sights.open()
        self._sights.begin()
        self._heard = self.body.events.written
        self._scheduled.clear()
        self.instruction = self._own_sentence
        self._grid = replace(self._grid, start_s=self.body.now())
        self._number = self._grid.next(0, self.body.now())
        self.body.wait_until(self._grid.time_s(self._number))
        if fault := self.body.fault():
            self._fault = fault
            raise EnvFaultedError(fault)
        if isinstance(self._success, Keys):
            self._success.failed = False
        return self._look()

    def _tick(self, action: Array) -> tuple[float, Array, bool, dict[str, Any]]:
        meant = self._number + 1
        self._number = self._grid.next(self._number, self.body.now())
        due_s = self._grid.time_s(self._number)
        if self._scheduled and np.array_equal(self._scheduled[0], action):
            self._scheduled.popleft()
        else:
            self._scheduled.clear()
            self._submit({0: due_s}, [action])
        while self._watch and due_s - self.body.now() > _WATCH_S:
            self.body.wait_until(self.body.now() + _WATCH_S)
            self._watch()
        self.body.wait_until(due_s)
        info = self._look()
        info["late_ms"] = 1e3 * (self._number - meant) * self._grid.period_s
        success = self._success(self.observe())
        failed = isinstance(self._success, Keys) and self._success.failed
        self._broken_off = self._fault is not None or failed
        return float(success), self._sent(), success, info

    def _look(self) -> dict[str, Any]:
        """Looks through all sensors, and says what was noticed."""
        sight = self._sight = self._sights.look()
        rows, self._heard = self.body.events.since(self._heard)
        events = [*map(read_event, rows), *sight.events]
        self._fault = self.body.fault() or sight.fault
        if self._fault:
            self.body.park()
        begun_s = self._grid.start_s
        return {
            "time_s": sight.time_s - begun_s,
            "ages_s": sight.ages_s,
            "safety": [replace(event, time_s=event.time_s - begun_s) for event in events],
            "fault": self._fault,
            "late_ms": 0.0,
        }

    def _submit(self, due: Mapping[int, float], actions: list[Array]) -> None:
        """Hands actions over; a fault that came meanwhile is told by the tick that follows."""
        try:
            self.body.submit([(due_s, actions[index]) for index, due_s in due.items()])
        except EnvFaultedError:
            self._scheduled.clear()

    def _sent(self) -> Array:
        """What the arms were told last, in the terms of an action, shape (A,)."""
        row = self.body.ticks.last()
        assert row is not None, "a tick was waited for"
        parts = [
            pose.pack(told.tcp_position_m, told.tcp_rotation, told.gripper_open_frac)
            if self.rig.control == "ee" or told.joints_rad is None
            else np.append(told.joints_rad, told.gripper_open_frac)
            for told in read_commands(row[0])
        ]
        return np.concatenate(parts).astype(np.float32)

    def _shaped(self, action: Array) -> Array:
        """Rule 1."""
        given = np.asarray(action)
        if given.shape != self.action_space.shape or given.dtype.kind not in "fiu":
            got = f"{given.dtype} of shape {given.shape}"
            raise ActionFormatError(self.name, action_names(self.rig), got)
        return given.astype(np.float32)


def _in_mode(rig: RigSpec, action_mode: ActionMode | None) -> RigSpec:
    """The rig with tool poses, or with joint angles, as actions; the state's codec follows."""
    control = {None: rig.control, "ee": "ee", "native": "joint"}
    if action_mode not in control:
        raise ConfigError(f"action_mode is 'ee' or 'native', got {action_mode!r}.")
    wanted = control[action_mode]
    return rig if wanted == rig.control else replace(rig, control=wanted, state=None)


def _check_make(rig: RigSpec, make: str) -> None:
    wanted = rig_id(rig.arms[0].model)
    if make and make != RIG_IDS[wanted]:
        raise ConfigError(
            f"This id is for {make} arms; {rig.name} has {rig.arms[0].model}. Use {wanted}."
        )


def _find_body(rig: RigSpec, *, live: bool) -> Body:
    if all(arm.driver == "simulated" for arm in rig.arms):
        return VirtualBody(rig)
    from tinyvla_gym.robots.process import ProcessBody

    return ProcessBody(rig, live=live)
