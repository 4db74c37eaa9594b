"""What a rig's sensors show at one instant: the newest pictures, and the arms as they were then."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tinyvla_gym.robots.alignment import states_at
from tinyvla_gym.robots.body import Body
from tinyvla_gym.robots.camera import CameraSource, Frame
from tinyvla_gym.robots.faults import CameraFault, SafetyEvent
from tinyvla_gym.robots.freshness import judge_cameras
from tinyvla_gym.robots.spec import RigSpec
from tinyvla_gym.robots.state import ArmState

_LOOKED_BACK_S = 1.0  # readings among which the instant is looked for


@dataclass(frozen=True, kw_only=True)
class Sight:
    """One look.

    Attributes:
        time_s: The instant to which readings were brought, on the controller's clock [s].
        frames: The newest picture of each camera, by name.
        states: One reading per arm at that instant.
        ages_s: How old each source's newest news was when it was looked at [s], by name.
        events: Cameras that are stale.
        fault: The camera that ends the episode, if there is one.
    """

    time_s: float
    frames: dict[str, Frame]
    states: Sequence[ArmState]
    ages_s: dict[str, float]
    events: tuple[SafetyEvent, ...] = field(default=())
    fault: CameraFault | None = None


class Sights:
    """Looks through all sensors of a rig."""

    def __init__(self, rig: RigSpec, body: Body, cameras: dict[str, CameraSource]) -> None:
        """Prepares; ``open`` opens the cameras."""
        self._rig, self._body, self._cameras = rig, body, cameras
        self._first = 0
        self._is_open = False

    def open(self) -> None:
        """Opens the cameras once.

        Raises:
            CameraError: If one is not there.
        """
        if not self._is_open:
            for camera in self._cameras.values():
                camera.open()
            self._is_open = True

    def begin(self) -> None:
        """Forgets the readings of the episode before."""
        self._first = self._body.ticks.written

    def look(self) -> Sight:
        """Looks. The instant is that of the oldest picture, unless that is stale.

        The pictures of several cameras are never of quite the same time; numbers can be had for
        any time. So they go back to the oldest picture, and nothing in an observation is newer.
        """
        now_s = self._body.now()
        frames = {name: camera.read() for name, camera in self._cameras.items()}
        ages_s = {name: now_s - frame.time_s for name, frame in frames.items()}
        limits = self._rig.limits
        events, fault = judge_cameras(ages_s, limits, now_s)
        oldest_s = max((age for age in ages_s.values() if age <= limits.camera_stale_s), default=0)
        ticks = self._body.ticks
        back = round(_LOOKED_BACK_S / self._rig.period_s)
        rows, _ = ticks.since(max(self._first, ticks.written - back))
        newest_s = rows[-1]["stamp_s"]
        for arm, stamp_s in zip(self._rig.arms, newest_s.tolist(), strict=True):
            ages_s[arm.name] = now_s - stamp_s
        instant_s = now_s - oldest_s
        return Sight(
            time_s=instant_s,
            frames=frames,
            states=states_at(rows, instant_s),
            ages_s=ages_s,
            events=events,
            fault=fault,
        )

    def close(self) -> None:
        """Closes the cameras. Safe any number of times."""
        for camera in self._cameras.values():
            camera.close()
        self._is_open = False
