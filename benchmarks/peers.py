"""Where the peers are installed, which ``make peers`` does."""

from pathlib import Path

from benchmarks.lines import ROOT, Subject
from benchmarks.refusal import NoPeerError

PEERS = ROOT / ".venv-peers"


def ours() -> Subject:
    """Starts our side."""
    return Subject("ours", "benchmarks.subjects.ours")


def reader() -> Subject:
    """Starts our side as a reader of data."""
    return Subject("ours", "benchmarks.subjects.reader")


def lerobot_reader() -> Subject:
    """Starts LeRobot as a reader of data.

    Raises:
        NoPeerError: If it is not installed.
    """
    lerobot_site()
    interpreter = PEERS / "lerobot/bin/python"
    return Subject("lerobot", "benchmarks.subjects.lerobot_reader", interpreter=interpreter)


def reference() -> Subject:
    """Starts metaworld alone; the project's own environment holds it."""
    return Subject("metaworld", "benchmarks.subjects.reference")


def envpool() -> Subject:
    """Starts EnvPool.

    Raises:
        NoPeerError: If it is not installed.
    """
    interpreter = PEERS / "envpool/bin/python"
    if not interpreter.exists():
        raise NoPeerError("EnvPool")
    return Subject("envpool", "benchmarks.subjects.envpool_peer", interpreter=interpreter)


def lerobot() -> Subject:
    """Starts LeRobot's loop.

    Raises:
        NoPeerError: If it is not installed.
    """
    lerobot_site()
    return Subject("lerobot", "benchmarks.subjects.lerobot_loop")


def planners() -> Subject:
    """Starts our side of what TinyVLA plans."""
    return Subject("ours", "benchmarks.subjects.planners")


def learners() -> Subject:
    """Starts our side of what is learnt."""
    return Subject("ours", "benchmarks.subjects.learners")


def released() -> Subject:
    """Starts TinyVLA's released code; the clone itself is named later.

    Raises:
        NoPeerError: If the libraries that it wants are not installed.
    """
    interpreter = PEERS / "released/bin/python"
    if not interpreter.exists():
        raise NoPeerError("What TinyVLA's released code needs")
    return Subject("the released code", "benchmarks.subjects.released", interpreter=interpreter)


def lerobot_site() -> Path:
    """The folder in which the package ``lerobot`` lies.

    Raises:
        NoPeerError: If it is not installed.
    """
    found = sorted(PEERS.glob("lerobot/lib/python3*/site-packages/lerobot"))
    if not found:
        raise NoPeerError("LeRobot")
    return found[0].parent


def lerobot_version() -> str:
    """Which release it is."""
    (record,) = lerobot_site().glob("lerobot-*.dist-info")
    return record.name.removeprefix("lerobot-").removesuffix(".dist-info")
