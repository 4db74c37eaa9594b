"""What one more env of the same task costs."""

from statistics import median

from benchmarks import peers
from benchmarks.findings import Finding
from benchmarks.settings import Settings

EXTRA = 8
LIMIT_MB = 40.0


def measure(settings: Settings) -> list[Finding]:
    """Makes, draws and steps 8 more envs of a task, in a fresh process for each task."""
    tasks = settings.chosen_tasks(str(settings.rounds))
    found = []
    versions = {}
    for task in tasks:
        with peers.ours() as ours:
            found.append(ours.ask("grow", task=task, extra=EXTRA, camera="corner4", size=84))
            versions = {"ours": ours.ask("versions")}
    return [
        Finding(
            name="memory",
            number=9,
            what="memory of one more env of the same task",
            peer="none",
            bar=LIMIT_MB,
            unit="MB, median over tasks",
            value=median(found),
            check={"tasks": len(tasks)},
            more={"largest_MB": max(found)},
            versions=versions,
        )
    ]
