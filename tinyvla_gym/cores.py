"""How many cores this process may use, and what whoever wants more workers than that is told."""

import os


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def crowding(workers: int) -> str | None:
    """A sentence if workers outnumber the cores, None otherwise."""
    count = cores()
    if workers <= count:
        return None
    shared = "1 core" if count == 1 else f"{count} cores"
    return f"{workers} workers share {shared}: more workers than cores make nothing faster."
