"""The folder of an evaluation: what is in it, and how it is finished."""

from pathlib import Path

from tinyvla_gym.data.table import save_table
from tinyvla_gym.evaluation.report import write_report
from tinyvla_gym.evaluation.results import Results
from tinyvla_gym.evaluation.shards import ShardFolder


def results_path(out: Path) -> Path:
    """The file that says everything; it is written last but for tidying up."""
    return out / "results.json"


def videos_path(out: Path) -> Path:
    """The folder of films."""
    return out / "videos"


def shards_path(out: Path) -> Path:
    """The folder of what has been played, until the results are written."""
    return out / "shards"


def finish(results: Results, out: Path) -> None:
    """Writes ``report.html``, ``episodes.parquet``, ``results.json``, and forgets the shards.

    Raises:
        OutputError: If the place cannot be written to.
    """
    protocol = results.conditions
    title = f"{results.policy} on {protocol.suite}"
    write_report(results, out / "report.html", title=title, videos=videos_path(out))
    rows = [
        {"policy": results.policy, "task": task, **row}
        for task, result in results.tasks.items()
        for row in result.rows()
    ]
    facts = {"protocol": protocol.title, "protocol_hash": protocol.hash}
    save_table(out / "episodes.parquet", rows, facts)
    results.save(results_path(out))
    ShardFolder(shards_path(out)).clear()
