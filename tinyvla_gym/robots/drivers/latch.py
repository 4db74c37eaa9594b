"""What has stopped an arm, kept until ``recover``: the vendors' libraries forget, or carry on."""

from tinyvla_gym.robots.state import Condition

NEED_A_PERSON = (
    Condition.EMERGENCY_STOP,
    Condition.SAFEGUARD_STOP,
    Condition.BRAKES_ENGAGED,
    Condition.REMOTE_CONTROL_OFF,
)


class Latch:
    """Keeps the first condition that is not OK; one that needs a person replaces another."""

    def __init__(self) -> None:
        """An arm that is not connected has no control."""
        self.condition = Condition.CONTROL_LOST

    @property
    def open(self) -> bool:
        """Whether commands may be sent."""
        return self.condition is Condition.OK

    def add(self, condition: Condition) -> None:
        """Takes note of a condition."""
        graver = condition in NEED_A_PERSON and self.condition not in NEED_A_PERSON
        if self.open or graver:
            self.condition = condition

    def clear(self) -> None:
        """Forgets; for ``connect`` and ``recover`` alone."""
        self.condition = Condition.OK
