"""How often software may clear a stop before a person has to look."""

from collections import deque


class RecoveryBudget:
    """At most two recoveries in a minute: an arm that keeps stopping has a reason."""

    PAUSE_S = 5.0
    """Wait before a recovery; the controllers refuse earlier [s]."""
    _MOST = 2
    _WITHIN_S = 60.0

    def __init__(self) -> None:
        """Nothing spent yet."""
        self._spent_s: deque[float] = deque()

    def spend(self, now_s: float) -> bool:
        """Takes one recovery if there is one left; says whether there was."""
        while self._spent_s and now_s - self._spent_s[0] > self._WITHIN_S:
            self._spent_s.popleft()
        if len(self._spent_s) >= self._MOST:
            return False
        self._spent_s.append(now_s)
        return True
