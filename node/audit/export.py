"""Export of a verified chain as files of the read model's tables: CSV or Parquet.

The blocks are executed as they are read, and every row is written from the execution, so the memory does not grow with
the chain. State tables hold the state after the last block. The same chain gives the same bytes; of Parquet, with the
same version of pyarrow.
"""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol, TextIO

from node.audit.follow import Follower, opened
from node.audit.invariants import check_invariants
from node.audit.sources import BlockSource
from node.audit.tables.model import TABLES, Added, added_rows, state_rows
from node.audit.tables.table import Cell, ColumnType, Row, Table, json_text
from node.chain.genesis import Genesis
from node.errors import OperatorError
from node.ledger.json_form import time_to_text
from node.storage.leveldb import LevelStore, WriteBackStore

ROWS_BUFFERED: Final = 20_000
"""Rows of all Parquet files that wait in memory. Above this, those of the table with the most become a row group."""
MANIFEST: Final = "export.json"
"""What the folder holds: the chain, the last block, and of each table its columns and the number of its rows."""


class TableFiles(Protocol):
    """One file for each table."""

    def add(self, table: Table, row: Row) -> None: ...

    def close(self) -> None: ...


# --- CSV ----------------------------------------------------------------------------------------------------
class CsvFiles:
    """RFC 4180 with a header line, UTF-8, lines that end in a newline. Implements `TableFiles`."""

    def __init__(self, folder: Path) -> None:
        self._files: list[TextIO] = []
        self._writers = {}
        for table in TABLES.values():
            file = (folder / f"{table.name}.csv").open("w", encoding="utf-8", newline="")
            self._files.append(file)
            self._writers[table.name] = csv.writer(file, lineterminator="\n")
            self._writers[table.name].writerow(column.name for column in table.columns)

    def add(self, table: Table, row: Row) -> None:
        cells = (_csv_text(column.type, cell) for column, cell in zip(table.columns, row, strict=True))
        self._writers[table.name].writerow(cells)

    def close(self) -> None:
        for file in self._files:
            file.close()


def _csv_text(kind: ColumnType, cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if kind == "time" and isinstance(cell, int):
        return time_to_text(cell)
    return json_text(cell) if isinstance(cell, list) else str(cell)


# --- Parquet ------------------------------------------------------------------------------------------------
class ParquetFiles:
    """Files with zstd compression and UTC timestamps. Implements `TableFiles`."""

    def __init__(self, folder: Path) -> None:
        pa, parquet = _pyarrow()
        self._pa = pa
        kinds = {
            "integer": pa.int64(), "boolean": pa.bool_(), "text": pa.string(), "json": pa.string(),
            "time": pa.timestamp("ms", tz="UTC"), "texts": pa.list_(pa.string()), "integers": pa.list_(pa.int64()),
        }  # fmt: skip
        self._schemas = {
            table.name: pa.schema(
                [pa.field(c.name, kinds[c.type], nullable=c.name not in table.key) for c in table.columns]
            )
            for table in TABLES.values()
        }
        self._writers = {
            name: parquet.ParquetWriter(folder / f"{name}.parquet", schema, compression="zstd")
            for name, schema in self._schemas.items()
        }
        self._rows: dict[str, list[Row]] = {name: [] for name in self._schemas}
        self._waiting = 0

    def add(self, table: Table, row: Row) -> None:
        self._rows[table.name].append(row)
        self._waiting += 1
        if self._waiting >= ROWS_BUFFERED:
            self._write(max(self._rows, key=lambda name: len(self._rows[name])))

    def _write(self, name: str) -> None:
        rows, schema = self._rows[name], self._schemas[name]
        cells = [
            self._pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), schema, strict=True)
        ]
        self._writers[name].write_table(self._pa.Table.from_arrays(cells, schema=schema))
        self._waiting -= len(rows)
        self._rows[name] = []

    def close(self) -> None:
        for name, rows in self._rows.items():
            if rows:
                self._write(name)
        for writer in self._writers.values():
            writer.close()


def _pyarrow() -> tuple[ModuleType, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise OperatorError("Parquet needs pyarrow: install the extra 'export', or give --format csv") from None
    return pyarrow, pyarrow.parquet


FORMATS: Final[dict[str, type[CsvFiles] | type[ParquetFiles]]] = {"parquet": ParquetFiles, "csv": CsvFiles}


# --- the export ---------------------------------------------------------------------------------------------
def export(
    genesis: Genesis,
    source: BlockSource,
    folder: Path,
    kind: str,
    to: int,
    older: Sequence[tuple[Genesis, BlockSource]] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write the tables of the chain up to height `to`; the folder appears whole or not at all. Returns the manifest.

    Raises `OperatorError`, `Corrupted`, and `Diverged` where the chain is not valid."""
    if folder.exists():
        raise OperatorError(f"{folder} exists: name a folder that does not")
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        with tempfile.TemporaryDirectory(prefix="bmw-audit-") as scratch:
            kv = WriteBackStore(LevelStore(Path(scratch) / "state", is_temporary=True))
            try:
                follower = opened(genesis, kv, Path(scratch) / "predecessor", older)
                manifest = _written(follower, source, partial, kind, to, on_progress)
            finally:
                kv.close()
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _written(
    follower: Follower,
    source: BlockSource,
    folder: Path,
    kind: str,
    to: int,
    on_progress: Callable[[int, int], None] | None,
) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    transactions = 0
    files: TableFiles = FORMATS[kind](folder)

    def add(added: Added) -> None:
        files.add(added.table, added.row)
        counts[added.table.name] += 1

    try:
        for executed in follower.follow(source, to):
            for added in added_rows(executed):
                add(added)
            transactions += len(executed.result.transactions)
            if on_progress is not None:
                on_progress(executed.result.height, transactions)
        check_invariants(follower.store)
        for added in state_rows(follower.store):
            add(added)
    finally:
        files.close()
    head = follower.store.head()
    manifest = {
        "chain_id": follower.store.genesis.chain_id,
        "genesis_hash": follower.store.genesis_hash.hex(),
        "height": head.height,
        "block_id": head.block_id.hex(),
        "state_root": head.state_root.hex(),
        "time": time_to_text(head.time_ms),
        "format": kind,
        "tables": {
            table.name: {
                "rows": counts[table.name],
                "key": list(table.key),
                "columns": {column.name: column.type for column in table.columns},
            }
            for table in TABLES.values()
        },
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    (folder / MANIFEST).write_text(text + "\n", "utf-8")
    return manifest
