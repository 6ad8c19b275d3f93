"""The read model in a PostgreSQL database. The rows of a block and the position are changed in one transaction.

So each row is there exactly once, whichever side crashes and when: a block is in the tables if and only if the position
is at it or above it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from node.audit.executor import Executed
from node.audit.postgres.migrations import apply_steps, make_tables
from node.audit.postgres.statements import delete_row, insert_row, parameters, time_of
from node.audit.tables.model import added_rows, changed_rows, state_rows
from node.audit.tables.table import Row, Table
from node.errors import OperatorError
from node.execution.head import ChainHead
from node.storage.chain_store import ChainStore

try:
    import psycopg
except ImportError as _error:
    raise OperatorError("a sync needs psycopg: install the extra 'sync'") from _error

if TYPE_CHECKING:
    from psycopg import Connection, Cursor

LOCK: Final = 0x626D77
"""The advisory lock of the one sync that may write."""
FILL_ROWS: Final = 1_000
"""Rows of one round trip while a table is filled."""


class ConnectionLost(OperatorError):
    """The server has gone away, or is not there yet."""


class Position(NamedTuple):
    """The last block whose rows are in the tables."""

    genesis_hash: str
    height: int
    block_id: str


class ReadModel:
    """One connection, which holds the lock."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def connected(cls, url: str) -> Iterator[ReadModel]:
        """Connects, takes the lock and applies the steps of the schema. Within it, a lost connection is
        `ConnectionLost`, and another refusal by the server is an `OperatorError`."""
        try:
            with psycopg.connect(url, autocommit=True, application_name="bmw-audit sync") as connection:
                if connection.info.server_version < 130000:
                    raise OperatorError("the server is older than PostgreSQL 13: install a newer one")
                if connection.execute("select pg_try_advisory_lock(%s)", (LOCK,)).fetchone() != (True,):
                    raise OperatorError("another sync writes into this database: stop it, or name another database")
                apply_steps(connection)
                yield cls(connection)
        except psycopg.OperationalError as error:
            raise ConnectionLost(
                f"the database can't be reached ({' '.join(str(error).split())}): check --to"
            ) from None
        except psycopg.ProgrammingError as error:
            raise OperatorError(f"the database refuses ({' '.join(str(error).split())}): check --to") from None
        except psycopg.Error as error:
            raise OperatorError(f"the database fails ({' '.join(str(error).split())}): look at its log") from None

    def position(self) -> Position | None:
        """None before the first block."""
        row = self._connection.execute("select genesis_hash, height, block_id from bmw.position").fetchone()
        return None if row is None else Position(*row)

    def prepare(self, store: ChainStore) -> None:
        """Make the tables, in one transaction, where `store` is at the position. A new database begins at the store's
        first state, and so does a state table that has changed."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            empty = {table.name for table in make_tables(self._connection)}
            if empty:
                waiting: list[tuple[Table, Row]] = []
                for table, row in state_rows(store):
                    if table.name in empty:
                        waiting.append((table, row))
                    if len(waiting) == FILL_ROWS:
                        _insert(cursor, waiting)
                        waiting = []
                _insert(cursor, waiting)
            if self.position() is None:
                head = store.head()
                cursor.execute(
                    "insert into bmw.position (chain_id, genesis_hash, height, block_id, state_root, time) "
                    "values (%s, %s, %s, %s, %s, %s)",
                    (store.genesis.chain_id, store.genesis_hash.hex(), *_place(head.height, head)),
                )

    def write(self, executed: Executed) -> None:
        """Store the rows of a block and its height as the new position, in one database transaction."""
        header, before = executed.committed.block.header, executed.committed.block.header.height - 1
        with self._connection.transaction(), self._connection.cursor() as cursor:
            with self._connection.pipeline():
                _insert(cursor, added_rows(executed))
                for table, ident, row in changed_rows(executed):
                    if row is None:
                        cursor.execute(delete_row(table), (ident,))
                    else:
                        cursor.execute(insert_row(table), parameters(table, row))
            cursor.execute(
                "update bmw.position set height = %s, block_id = %s, state_root = %s, time = %s where height = %s",
                (header.height, executed.block_id.hex(), header.state_root.hex(), time_of(header.time_ms), before),
            )
            if cursor.rowcount != 1:
                raise OperatorError(f"the database is not at block {before}: another program has changed it")


def _insert(cursor: Cursor[Any], rows: Iterable[tuple[Table, Row]]) -> None:
    """One statement for each table, in the order of the tables' first rows."""
    by_table: dict[Table, list[list[Any]]] = defaultdict(list)
    for table, row in rows:
        by_table[table].append(parameters(table, row))
    for table, entries in by_table.items():
        cursor.executemany(insert_row(table), entries)


def _place(height: int, head: ChainHead) -> tuple[Any, ...]:
    return height, head.block_id.hex(), head.state_root.hex(), time_of(head.time_ms)


def _on_one_line(error: Exception) -> str:
    return " ".join(str(error).split())
