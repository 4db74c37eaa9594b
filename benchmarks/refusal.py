"""Why a benchmark gives no number."""

from tinyvla_gym.errors import TinyVLAError


class Refusal(TinyVLAError):
    """A number that would not mean what it says: unequal sides, or a busy machine."""


class NoPeerError(Refusal):
    """A peer that is not installed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not installed here: run `make peers`, which takes minutes.")
