"""The read model: which tables there are, and the rows of a block and of a state value.

Everything that is exported or kept in a database comes from here. A table of each transaction type and of each state
family that receipts name is derived from its declaration.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, Final, NamedTuple

from node.audit.executor import Executed
from node.audit.tables.table import Flattened, Row, Table, columns, flattened
from node.chain.block import EMPTY_COMMIT, Commit
from node.chain.validators import ValidatorSet
from node.crypto.addresses import to_text
from node.ledger.body import TransactionBody, UnknownBody, type_of
from node.ledger.family import ADDRESS_IDENT, Family
from node.storage.chain_store import ChainReader
from node.txtypes.registry import FAMILIES, TYPES
from node.txtypes.vehicle.record import content_of, face_of, stored_record


class Added(NamedTuple):
    """A row that a block adds."""

    table: Table
    row: Row


class Changed(NamedTuple):
    """The row of a state value after a block; None where the value has ended. `ident`: the row's key."""

    table: Table
    ident: str
    row: Row | None


# --- tables of the chain itself -----------------------------------------------------------------------------
BLOCKS: Final = Table(
    "blocks",
    columns(
        "height integer, id text, time time, proposer text, transactions integer, evidence integer, bytes integer, "
        "weight integer, validators integer, power integer, state_root text, ruleset_hash text"
    ),
    ("height",),
)
COMMITS: Final = Table(
    "commits",
    columns("height integer, round integer, signatures integer, power_signed integer, power integer"),
    ("height",),
)
"""Of the certificate of a block that the next block contains: it alone is part of the chain. The newest block has no
row yet."""
VOTES: Final = Table(
    "votes", columns("height integer, validator text, power integer, has_signed boolean"), ("height", "validator")
)
"""Of the same certificates, one row for each validator in force."""
MISSED_PROPOSALS: Final = Table(
    "missed_proposals", columns("height integer, round integer, validator text"), ("height", "round")
)
"""A round below the one that decided, and the validator whose turn it was."""
TRANSACTIONS: Final = Table(
    "transactions",
    columns(
        "height integer, tx_index integer, txid text, time time, type text, sender text, signatures integer, "
        "bytes integer, expires_at time"
    ),
    ("height", "tx_index"),
)
RECORDS: Final = Table(
    "records",
    columns(
        "vin text, sequence integer, height integer, tx_index integer, time time, type text, author text, "
        "author_name text, event_at time, outcome texts"
    ),
    ("vin", "sequence"),
)
HAPPENINGS: Final = Table(
    "happenings",
    columns("height integer, number integer, tx_index integer, time time, name text, subjects texts"),
    ("height", "number"),
)
"""Facts that no single state value shows. `number` counts within the block; the block's own have no `tx_index`."""
PLACE: Final = columns("height integer, tx_index integer, time time, sender text")
"""The first columns of the table of each transaction type."""


# --- derived tables -----------------------------------------------------------------------------------------
class TypeTable(NamedTuple):
    table: Table
    body: Flattened


class StateTable(NamedTuple):
    table: Table
    family: Family[Any]
    value: Flattened

    def row(self, ident: str, value: Any) -> Row:
        return (self.shown(ident), *self.value.cells(value))

    def shown(self, ident: str) -> str:
        """The id as its column has it."""
        return to_text(bytes.fromhex(ident)) if self.family.ident is ADDRESS_IDENT else ident


def _table_of_type(tag: str, kind: type[TransactionBody]) -> TypeTable:
    body = flattened(kind, frozenset(column.name for column in PLACE))
    return TypeTable(
        Table(f"tx_{tag.replace('.', '_').replace('/', '_')}", (*PLACE, *body.columns), TRANSACTIONS.key), body
    )


def _table_of_family(family: Family[Any]) -> StateTable:
    ident = family.param.replace("-", "_") if family.param != family.name else "id"
    value = flattened(family.kind, frozenset({ident}))
    return StateTable(
        Table(_plural(family), (*columns(f"{ident} text"), *value.columns), (ident,), is_state=True), family, value
    )


def _plural(family: Family[Any]) -> str:
    """The last part of the HTTP path; else the name in the plural, and by what it is listed if a path has that name."""
    if family.path:
        return _of_path(family)
    word = family.word
    plural = word[:-1] + "ies" if word.endswith("y") else word if word.endswith("s") else word + "s"
    return f"{plural}_by_{family.param}" if plural in map(_of_path, FAMILIES.values()) else plural


def _of_path(family: Family[Any]) -> str:
    return family.path.rpartition("/")[2].replace("-", "_")


TYPE_TABLES: Final = {tag: _table_of_type(tag, kind) for tag, kind in TYPES.items()}
STATE_TABLES: Final = {
    name: _table_of_family(family) for name, family in FAMILIES.items() if family.concerns is not None
}
"""State families that get a table: those whose changes stand in the receipts of transactions."""
_TABLES: Final = (
    BLOCKS, COMMITS, VOTES, MISSED_PROPOSALS, TRANSACTIONS, RECORDS, HAPPENINGS,
    *(entry.table for entry in TYPE_TABLES.values()), *(entry.table for entry in STATE_TABLES.values()),
)  # fmt: skip
TABLES: Final[dict[str, Table]] = {table.name: table for table in _TABLES}
assert len(TABLES) == len(_TABLES), f"two tables have one name: {sorted(table.name for table in _TABLES)}"


# --- rows ---------------------------------------------------------------------------------------------------
def added_rows(executed: Executed) -> Iterator[Added]:
    """The rows that a block adds, those of one table in the order of its key. Not those of state values."""
    header, result = executed.committed.block.header, executed.result
    raws = executed.committed.block.transactions
    height, time_ms = header.height, header.time_ms
    yield Added(BLOCKS, (
        height, executed.block_id.hex(), time_ms, to_text(header.proposer), len(raws),
        len(executed.committed.block.evidence), sum(map(len, raws)), result.weight, len(executed.validators),
        executed.validators.total, header.state_root.hex(), header.ruleset_hash.hex(),
    ))  # fmt: skip
    if (commit := executed.committed.block.last_commit) != EMPTY_COMMIT:
        yield from _commit_rows(commit, executed.last_validators)
    for index, tx in enumerate(result.transactions):
        body, sender = tx.payload.body, to_text(tx.payload.sender)
        yield Added(TRANSACTIONS, (
            height, index, tx.txid.hex(), time_ms, type_of(body), sender, len(tx.signatures), len(tx.raw),
            tx.payload.expires_at_ms,
        ))  # fmt: skip
        assert not isinstance(body, UnknownBody), "a type that nobody knows is active under no ruleset"
        of_type = TYPE_TABLES[type_of(body)]
        yield Added(of_type.table, (height, index, time_ms, sender, *of_type.body.cells(body)))
    yield from _record_rows(executed)
    yield from _happening_rows(executed)


def _commit_rows(commit: Commit, validators: ValidatorSet) -> Iterator[Added]:
    signed = [bool(signature) for signature in commit.signatures]
    powers = [entry.power for entry in validators.entries]
    power = sum(power for power, has_signed in zip(powers, signed, strict=True) if has_signed)
    yield Added(COMMITS, (commit.height, commit.round, sum(signed), power, validators.total))
    for entry, has_signed in zip(validators.entries, signed, strict=True):
        yield Added(VOTES, (commit.height, to_text(entry.address), entry.power, has_signed))
    for round_ in range(commit.round):
        yield Added(MISSED_PROPOSALS, (commit.height, round_, to_text(validators.proposer(commit.height, round_))))


def _record_rows(executed: Executed) -> Iterator[Added]:
    height, time_ms = executed.result.height, executed.result.time_ms
    bodies = {(record.vin, record.sequence): record.body for record in executed.result.records}
    for index, receipt in enumerate(executed.result.receipts.transactions):
        for reference in receipt.records:
            stored = stored_record(bodies[reference.vin, reference.sequence])
            face = face_of(stored)
            yield Added(RECORDS, (
                reference.vin, reference.sequence, height, index, time_ms, face.kind, to_text(face.author),
                face.author_name or None, face.event_at_ms or None, list(content_of(stored).outcome),
            ))  # fmt: skip


def _happening_rows(executed: Executed) -> Iterator[Added]:
    receipts = executed.result.receipts
    places: list[int | None] = [*range(len(receipts.transactions)), None]
    number = count()
    for index, receipt in zip(places, (*receipts.transactions, receipts.block), strict=True):
        for happening in receipt.happenings:
            place = (executed.result.height, next(number), index, executed.result.time_ms)
            yield Added(HAPPENINGS, (*place, happening.name, list(happening.subjects)))


def changed_rows(executed: Executed) -> Iterator[Changed]:
    """The rows of the state values that a block sets or ends."""
    for key, (family, value) in executed.result.overlay.changes.items():
        entry = STATE_TABLES.get(family.name)
        if entry is not None:
            ident = key[len(family.name) + 1 :].decode("ascii")
            yield Changed(entry.table, entry.shown(ident), None if value is None else entry.row(ident, value))


def state_rows(reader: ChainReader) -> Iterator[Added]:
    """The row of every state value, by table, then in order of the state keys."""
    for entry in STATE_TABLES.values():
        for ident, value in reader.values(entry.family):
            yield Added(entry.table, entry.row(ident, value))
