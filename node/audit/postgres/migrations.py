"""Migrations of the read model's schema `bmw`: numbered steps, then the declared tables, then the views.

A step is applied once, in order, and its number is kept in `bmw.schema_version`. Declared tables have no steps: a new
one is created, and a state table whose columns have changed is made anew from the executed state. A table of a
transaction type never changes, since a changed type has another name.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from node.audit.postgres.statements import create_table, quoted
from node.audit.tables.model import TABLES
from node.audit.tables.table import Table
from node.errors import OperatorError

if TYPE_CHECKING:
    from psycopg import Connection

STEPS: Final = (
    """
    create table bmw.position (
        is_only boolean primary key default true check (is_only),
        chain_id text not null,
        genesis_hash text not null,
        height bigint not null,
        block_id text not null,
        state_root text not null,
        time timestamptz not null
    );
    comment on table bmw.position is 'The last block whose rows are in the tables; changed in their transaction.';
    create table bmw.definitions (name text primary key, definition text not null);
    comment on table bmw.definitions is 'The columns of every declared table, and the hash of the views.';
    """,
)
"""SQL of each version of the schema, the first one first. A step that was released is never changed."""
VIEWS: Final = Path(__file__).with_name("views.sql")
_VIEWS_NAME: Final = "(views)"


def apply_steps(connection: Connection[Any], steps: tuple[str, ...] = STEPS) -> None:
    """Bring the schema to the newest version, in one transaction. Raises `OperatorError` for a newer schema."""
    with connection.transaction():
        connection.execute("create schema if not exists bmw")
        connection.execute(
            "create table if not exists bmw.schema_version "
            "(version integer primary key, applied_at timestamptz not null default now())"
        )
        found = connection.execute("select coalesce(max(version), 0) from bmw.schema_version").fetchone()
        version = int(found[0]) if found else 0
        if version > len(steps):
            raise OperatorError(
                f"the database has version {version} of the schema, this software knows {len(steps)}: install a newer "
                "version"
            )
        for number, step in enumerate(steps[version:], version + 1):
            connection.execute(step)
            connection.execute("insert into bmw.schema_version (version) values (%s)", (number,))


def make_tables(connection: Connection[Any]) -> list[Table]:
    """Create the declared tables and views that are new or have changed, within the caller's transaction. Returns the
    state tables that are empty now and have to be filled. Raises `OperatorError` where a table has changed whose rows
    the state does not have."""
    known = dict(connection.execute("select name, definition from bmw.definitions").fetchall())
    changed = [table for table in TABLES.values() if known.get(table.name) != table.definition]
    if fixed := [table.name for table in changed if not table.is_state and table.name in known]:
        raise OperatorError(
            f"the columns of {', '.join(fixed)} are those of another version of this software: sync into a new database"
        )
    views = VIEWS.read_text("utf-8")
    digest = sha256(views.encode()).hexdigest()
    if not changed and known.get(_VIEWS_NAME) == digest:
        return []
    for (view,) in connection.execute("select viewname from pg_views where schemaname = 'bmw'").fetchall():
        connection.execute(f"drop view if exists bmw.{quoted(view)} cascade")
    for table in changed:
        connection.execute(f"drop table if exists bmw.{quoted(table.name)}")
        connection.execute(create_table(table))
    connection.execute(views)
    for name, definition in [(table.name, table.definition) for table in changed] + [(_VIEWS_NAME, digest)]:
        connection.execute(
            "insert into bmw.definitions values (%s, %s) on conflict (name) do update set definition = "
            "excluded.definition",
            (name, definition),
        )
    return [table for table in changed if table.is_state]
