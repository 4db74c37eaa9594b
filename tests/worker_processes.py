"""Finds the worker processes of a program that a test has started."""

from pathlib import Path
from subprocess import Popen


def workers_of(program: Popen) -> list[int]:
    """Process ids of its workers; Linux alone says."""
    children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
    told = {int(one): Path(f"/proc/{one}/cmdline").read_bytes() for one in children}
    return [one for one, command in told.items() if b"spawn_main" in command]
