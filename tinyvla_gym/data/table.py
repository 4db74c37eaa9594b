"""Tables for other people's tools: rows of plain values into a parquet file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinyvla_gym.data.atomic import written_whole


def save_table(path: Path, rows: Sequence[Mapping[str, Any]], facts: Mapping[str, str]) -> None:
    """Writes a parquet file; see ``written_whole``.

    Args:
        path: The file.
        rows: At least one; all with the same keys, which become columns. None is an empty cell.
        facts: Kept beside the rows, as the file's own metadata.

    Raises:
        OutputError: If the place cannot be written to.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: [row[name] for row in rows] for name in rows[0]}
    table = pa.table(columns).replace_schema_metadata(dict(facts))
    with written_whole(path) as partial:
        pq.write_table(table, partial)
