"""The rows on disk: an SQLite database of listings and members, and how far they have been brought.

Each write is one transaction that also says up to which event it goes, so a killed process goes on exactly there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple

import msgspec

from web.read_model.row import Row

SCHEMA: Final = 1
"""Raised whenever `Row` or the tables change: rows of another schema are read from the node anew."""
_TABLES: Final = """
CREATE TABLE meta (
    schema INTEGER NOT NULL, genesis_hash BLOB NOT NULL, height INTEGER NOT NULL, sequence INTEGER NOT NULL,
    block_id BLOB NOT NULL, frauds BLOB, cursor TEXT
);
CREATE TABLE listing (
    slot INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, vin TEXT NOT NULL, seller BLOB NOT NULL,
    row BLOB NOT NULL
);
CREATE INDEX listing_vin ON listing (vin) WHERE vin != '';
CREATE TABLE member (address BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""
_PROGRESS_STEPS: Final = 10_000
_decode_row: Final = msgspec.msgpack.Decoder(Row).decode
_encode_row: Final = msgspec.msgpack.Encoder().encode


class Meta(NamedTuple):
    """How far the rows are. `height`, `sequence`: the last event that they have, -1 for all of the height; `block_id`:
    of that height, empty where no event has told it yet. `frauds`: the raw list of authors that count no more.
    `cursor`: where the list goes on that the rows are filled from, None once they are complete."""

    genesis_hash: bytes
    height: int = 0
    sequence: int = 0
    block_id: bytes = b""
    frauds: bytes | None = None
    cursor: str | None = ""


class QueryTooLong(Exception):
    """A query was ended because it took longer than `query_ms_max`."""


class Store:
    """Rows by slot; a slot is a place in the columns, used again after its listing has gone."""

    def __init__(self, path: Path, genesis_hash: bytes, query_ms_max: int = 300) -> None:
        self.path = path
        self._query_s, self._ends_at = query_ms_max / 1000, 0.0
        self._db = _opened(path)
        self._db.set_progress_handler(self._is_over_time, _PROGRESS_STEPS)
        found = self._db.execute("SELECT schema, genesis_hash FROM meta").fetchone()
        if found is None:
            self.reset(genesis_hash)
        elif found != (SCHEMA, genesis_hash):
            self._db.close()
            delete(path)
            self._db = _opened(path)
            self._db.set_progress_handler(self._is_over_time, _PROGRESS_STEPS)
            self.reset(genesis_hash)

    def close(self) -> None:
        self._db.close()

    def _is_over_time(self) -> bool:
        return bool(self._ends_at) and monotonic() > self._ends_at

    # --- reading -----------------------------------------------------------------------------------------------
    @property
    def meta(self) -> Meta:
        names = ", ".join(Meta._fields)
        return Meta(*self._db.execute(f"SELECT {names} FROM meta").fetchone())

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Every row with its slot."""
        for slot, raw in self._db.execute("SELECT slot, row FROM listing"):
            yield slot, _decode_row(raw)

    def members(self) -> Iterator[tuple[bytes, bytes]]:
        """Address and raw value of every member."""
        yield from self._db.execute("SELECT address, value FROM member")

    def at(self, slots: Iterable[int]) -> list[Row]:
        """The rows of slots, in their order. Raises `QueryTooLong`."""
        wanted = list(slots)
        self._ends_at = monotonic() + self._query_s
        try:
            marks = ",".join("?" * len(wanted))
            found = dict(self._db.execute(f"SELECT slot, row FROM listing WHERE slot IN ({marks})", wanted))
        except sqlite3.OperationalError as error:
            if "interrupted" in str(error):
                raise QueryTooLong from None
            raise
        finally:
            self._ends_at = 0.0
        return [_decode_row(found[slot]) for slot in wanted if slot in found]

    def row(self, ident: bytes) -> Row | None:
        found = self._db.execute("SELECT row FROM listing WHERE id = ?", (ident,)).fetchone()
        return _decode_row(found[0]) if found else None

    def member(self, address: bytes) -> bytes | None:
        found = self._db.execute("SELECT value FROM member WHERE address = ?", (address,)).fetchone()
        return found[0] if found else None

    def slots(self, idents: Collection[bytes]) -> dict[bytes, int]:
        """The slots of those listings that have one."""
        found: dict[bytes, int] = {}
        for ident in idents:
            row = self._db.execute("SELECT slot FROM listing WHERE id = ?", (ident,)).fetchone()
            if row is not None:
                found[ident] = row[0]
        return found

    def of_car(self, vin: str) -> list[bytes]:
        """The ids of a car's listings that have a row."""
        found = self._db.execute("SELECT id FROM listing WHERE vin = ? AND vin != ''", (vin,))
        return [ident for (ident,) in found]

    def of_seller(self, address: bytes) -> list[tuple[int, Row]]:
        """A seller's rows with their slots. It reads all rows: a seller seldom becomes a member."""
        found = self._db.execute("SELECT slot, row FROM listing WHERE seller = ?", (address,))
        return [(slot, _decode_row(raw)) for slot, raw in found]

    # --- writing -----------------------------------------------------------------------------------------------
    def reset(self, genesis_hash: bytes) -> None:
        """Forget everything: the rows are to be filled from the first listing on."""
        with self._db:
            for table in ("meta", "listing", "member"):
                self._db.execute(f"DELETE FROM {table}")
            self._db.execute(
                "INSERT INTO meta VALUES (?, ?, 0, 0, x'', NULL, '')", (SCHEMA, genesis_hash)
            )  # fmt: skip

    def write(
        self, meta: Meta, puts: Mapping[int, Row] | None = None, deletes: Iterable[int] = (),
        members: Mapping[bytes, bytes] | None = None,
    ) -> None:  # fmt: skip
        """All of it, in one transaction."""
        with self._db:
            self._db.executemany("DELETE FROM listing WHERE slot = ?", [(slot,) for slot in deletes])
            self._db.executemany(
                "INSERT OR REPLACE INTO listing VALUES (?, ?, ?, ?, ?)",
                [(slot, row.ident, row.vin, row.seller, _encode_row(row)) for slot, row in (puts or {}).items()],
            )
            self._db.executemany("INSERT OR REPLACE INTO member VALUES (?, ?)", list((members or {}).items()))
            self._db.execute(
                "UPDATE meta SET genesis_hash = ?, height = ?, sequence = ?, block_id = ?, frauds = ?, cursor = ?", meta
            )


def _opened(path: Path) -> sqlite3.Connection:
    """The database with its tables. One that is damaged is deleted: everything in it is read from the node again."""
    try:
        return _connected(path)
    except sqlite3.DatabaseError:
        delete(path)
        return _connected(path)


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level="IMMEDIATE")
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            db.executescript(f"BEGIN; {_TABLES} COMMIT;")
    except BaseException:
        db.close()
        raise
    return db


def delete(path: Path) -> None:
    """Delete a database that is closed."""
    for suffix in ("-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def replace(path: Path, by: Path) -> None:
    """Put one database in the place of another; both are closed."""
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    by.replace(path)
