"""SQL of the declared tables, and the parameters of their rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from node.audit.tables.table import Column, ColumnType, Row, Table

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES: Final[dict[ColumnType, str]] = {
    "integer": "bigint", "boolean": "boolean", "text": "text", "time": "timestamptz", "texts": "text[]",
    "integers": "bigint[]", "json": "jsonb",
}  # fmt: skip


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def create_table(table: Table) -> str:
    lines = [f"{quoted(column.name)} {_TYPES[column.type]}" for column in table.columns]
    lines.append(f"primary key ({', '.join(map(quoted, table.key))})")
    return f"create table bmw.{quoted(table.name)} ({', '.join(lines)})"


@cache
def insert_row(table: Table) -> str:
    """A row of a state table replaces the one with its key; a second row of another table is an error."""
    names = ", ".join(quoted(column.name) for column in table.columns)
    places = ", ".join(f"%s::{_TYPES[column.type]}" for column in table.columns)
    text = f"insert into bmw.{quoted(table.name)} ({names}) values ({places})"
    if not table.is_state:
        return text
    others = [quoted(column.name) for column in table.columns if column.name not in table.key]
    changes = ", ".join(f"{name} = excluded.{name}" for name in others)
    return f"{text} on conflict ({', '.join(map(quoted, table.key))}) do update set {changes}"


@cache
def delete_row(table: Table) -> str:
    [key] = table.key
    return f"delete from bmw.{quoted(table.name)} where {quoted(key)} = %s"


def parameters(table: Table, row: Row) -> list[Any]:
    return [_parameter(column, cell) for column, cell in zip(table.columns, row, strict=True)]


def _parameter(column: Column, cell: Any) -> Any:
    return time_of(cell) if column.type == "time" and cell is not None else cell


def time_of(millis: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=millis)
