"""The machine that measures: what it is, and whether it is idle."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.refusal import Refusal

IDLE_LOAD = 0.5
"""Load average of the last minute above which nothing is measured."""


def check_idle(*, busy: bool, load: float | None = None) -> None:
    """Refuses a busy machine.

    Args:
        busy: Measure nevertheless; the results are marked.
        load: Load average of the last minute; the machine's own when None.

    Raises:
        Refusal: If the machine has other work.
    """
    load = os.getloadavg()[0] if load is None else load
    if load > IDLE_LOAD and not busy:
        raise Refusal(
            f"The machine is busy: its load over the last minute is {load:.2f}, above "
            f"{IDLE_LOAD}.\nStop what runs, wait a minute and try again; or add --busy to measure "
            "anyway, which marks the results as taken on a busy machine."
        )


def facts() -> dict[str, Any]:
    """What a number depends on besides the code: processor, cores, system, load and time."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "load_before": round(os.getloadavg()[0], 2),
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
