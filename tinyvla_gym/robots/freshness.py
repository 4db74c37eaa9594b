"""How old pictures may be: rule 18 of the safety filter."""

from collections.abc import Mapping

from tinyvla_gym.robots.faults import CameraFault, SafetyEvent
from tinyvla_gym.robots.limits import SafetyLimits


def judge_cameras(
    ages_s: Mapping[str, float], limits: SafetyLimits, now_s: float
) -> tuple[tuple[SafetyEvent, ...], CameraFault | None]:
    """Applies rule 18 to the pictures of one observation.

    Args:
        ages_s: How old each camera's newest picture is [s]; one that is no number is too old.
        limits: How old they may be.
        now_s: The time to write into events [s].

    Returns:
        One event per stale camera, and the fault that ends the episode, if there is one.
    """
    stale = {name: age for name, age in ages_s.items() if not age <= limits.camera_stale_s}
    events = tuple(
        SafetyEvent(time_s=now_s, arm="", rule=18, name="camera_stale", original=(age,))
        for age in stale.values()
    )
    dead = [name for name, age in stale.items() if not age <= limits.camera_stop_s]
    if not dead:
        return events, None
    problem = f"no picture from camera {', '.join(dead)} for {limits.camera_stop_s} s."
    return events, CameraFault("", problem)
