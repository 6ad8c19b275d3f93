"""Tables of the read model: columns follow from declarations, rows from blocks."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta
from msgspec.structs import replace
from support.chain import Chain, address
from support.late_chain import LateChain
from support.life import VIN
from support.memory_store import MemoryStore
from support.sources import ChainSource
from support.stores import lax_block
from support.vectors import story

from node.audit.divergence import Diverged
from node.audit.follow import Follower
from node.audit.tables.model import (
    BLOCKS,
    COMMITS,
    MISSED_PROPOSALS,
    RECORDS,
    STATE_TABLES,
    TABLES,
    TYPE_TABLES,
    VOTES,
    added_rows,
    changed_rows,
    state_rows,
)
from node.audit.tables.table import Row, Table, columns, flattened
from node.codec import Value
from node.crypto.addresses import to_text
from node.errors import OperatorError
from node.ledger.body import type_of
from node.ledger.fields import Address, Money, OptionalTime, Time
from node.ledger.json_form import to_json
from node.txtypes.envelope import decode_signed_tx
from node.txtypes.registry import FAMILIES, TYPES
from node.txtypes.vehicle.vehicle import VEHICLE


# --- columns of declarations -------------------------------------------------------------------------------
class Inner(Value, frozen=True):
    place: str
    at_ms: Time


class Left(Value, tag="left", frozen=True):
    amount: int


class Right(Value, tag="right", frozen=True):
    name: str


class Outer(Value, frozen=True):
    height: int
    is_new: bool
    kind: Literal["a", "b"]
    author: Address
    digest: bytes
    price: Money
    seen: Inner
    before: Inner | None
    ended_at_ms: OptionalTime
    codes: tuple[str, ...]
    authors: tuple[Address, ...]
    counts: tuple[Annotated[int, Meta(ge=0)], ...]
    places: tuple[Inner, ...]
    action: Left | Right
    note: Annotated[str, Meta(max_length=3)] | None


def test_columns_follow_from_the_declared_fields() -> None:
    made = flattened(Outer, frozenset({"height"}))
    wanted = columns(
        "body_height integer, is_new boolean, kind text, author text, digest text, price__amount integer, "
        "price__currency text, seen__place text, seen__at time, before__place text, before__at time, ended_at time, "
        "codes texts, authors texts, counts integers, places json, action json, note text"
    )
    assert wanted == made.columns
    author, at = address("bmw"), 1_767_225_600_000
    value = Outer(
        7, True, "a", author, b"\x01\xff", Money(1250, "EUR"), Inner("MUC", at), None, 0, ("X", "Y"), (author,), (1, 2),
        (Inner("BER", at),), Right("ü"), None,
    )  # fmt: skip
    assert made.cells(value) == (
        7, True, "a", to_text(author), "01ff", 1250, "EUR", "MUC", at, None, None, None, ["X", "Y"], [to_text(author)],
        [1, 2], '[{"place":"BER","at":"2026-01-01T00:00:00.000Z"}]', '{"type":"right","name":"ü"}', None,
    )  # fmt: skip
    assert {None} == set(made.cells(None))


def test_nothing_is_null_and_a_number_beyond_63_bits_is_the_largest() -> None:
    class Empty(msgspec.Struct, frozen=True):
        text: str
        raw: bytes
        number: int

    assert (None, None, 2**63 - 1) == flattened(Empty).cells(Empty("", b"", 2**64 - 1))


def test_a_table_has_no_column_twice() -> None:
    with pytest.raises(AssertionError, match="table twice has a column twice"):
        Table("twice", columns("a text, a integer"), ("a",))


def test_every_type_and_every_family_of_receipts_has_a_table() -> None:
    assert set(TYPES) == set(TYPE_TABLES)
    assert {name for name, family in FAMILIES.items() if family.concerns} == set(STATE_TABLES)
    assert {"blocks", "transactions", "orders", "payments", "validators", "vehicles", "tx_recall_open"} < set(TABLES)
    for name, table in TABLES.items():
        assert name == table.name
        names = [name, *(column.name for column in table.columns)]
        assert all(word.isidentifier() and len(word) <= 63 for word in names), "PostgreSQL cuts longer names"


# --- rows ----------------------------------------------------------------------------------------------------
def rows_of(chain: Chain) -> dict[str, list[Row]]:
    """Added rows of all blocks, and the state after the last."""
    follower, found = Follower(chain.genesis, MemoryStore()), dict[str, list[Row]]()
    for executed in follower.follow(ChainSource(chain), chain.store.height()):
        for table, row in added_rows(executed):
            found.setdefault(table.name, []).append(row)
    for table, row in state_rows(follower.store):
        found.setdefault(table.name, []).append(row)
    return found


def named(table: Table, row: Row) -> dict[str, object]:
    return {column.name: cell for column, cell in zip(table.columns, row, strict=True)}


def test_rounds_votes_and_missed_proposals_are_those_of_the_certificates_on_the_chain() -> None:
    chain = LateChain()
    for _ in range(5):
        chain.produce()
    found, validators = rows_of(chain), chain.store.head().validators
    assert [(1, 0, 4, 40, 40), (2, 0, 4, 40, 40), (3, 2, 3, 30, 40), (4, 2, 3, 30, 40)] == found[COMMITS.name]
    last = to_text(validators.entries[-1].address)
    assert [(3, last, 10, False), (4, last, 10, False)] == [row for row in found[VOTES.name] if not row[3]]
    turns = [(h, r, to_text(validators.proposer(h, r))) for h in (3, 4) for r in (0, 1)]
    assert turns == found[MISSED_PROPOSALS.name]
    assert [1, 2, 3, 4, 5] == [row[0] for row in found[BLOCKS.name]]


def test_rows_of_types_and_records_are_what_was_sent_and_stored() -> None:
    chain, found = story().chain, rows_of(story().chain)
    sent = dict[str, int]()
    for played in story().played:
        tag = type_of(decode_signed_tx(played.raw, chain.genesis_hash).payload.body)
        sent[tag] = sent.get(tag, 0) + 1
    assert sent == {tag: len(found[entry.table.name]) for tag, entry in TYPE_TABLES.items()}
    service = next(p for p in story().played if p.name == "maintenance.record")
    table = TYPE_TABLES["maintenance.record"].table
    row = next(r for r in (named(table, r) for r in found[table.name]) if r["height"] == service.height)
    body = to_json(decode_signed_tx(service.raw, chain.genesis_hash).payload.body)
    assert (body["vin"], body["services"], body["odometer"]["value"]) == (
        row["vin"], row["services"], row["odometer__value"]
    )  # fmt: skip
    vehicle = chain.state(VEHICLE, VIN)
    assert vehicle.record_count == len([row for row in found[RECORDS.name] if row[0] == VIN])


def test_changed_rows_lead_to_the_same_tables_as_the_last_state() -> None:
    chain = story().chain
    follower, kept = Follower(chain.genesis, MemoryStore()), dict[tuple[str, str], Row]()
    for table, row in state_rows(follower.store):
        kept[table.name, str(row[0])] = row
    ended = 0
    for executed in follower.follow(ChainSource(chain), chain.store.height()):
        for table, ident, row in changed_rows(executed):
            if row is None:
                ended += kept.pop((table.name, ident), None) is not None
            else:
                kept[table.name, ident] = row
    assert kept == {(table.name, str(row[0])): row for table, row in state_rows(follower.store)}
    assert ended > 0


# --- the follower ----------------------------------------------------------------------------------------------
def test_a_follower_ends_where_a_replay_does() -> None:
    """A certified block that breaks a guard, a certificate too weak, a block that is missing."""
    chain = Chain()
    chain.produce()
    bad = chain.sign("buyer-1", decode_signed_tx(story().played[0].raw, story().chain.genesis_hash).payload.body)
    lax_block(chain, bad)
    with pytest.raises(Diverged, match="height 2"):
        rows_of(chain)
    committed = chain.store.committed(1)
    assert committed is not None
    weak = replace(committed, commit=replace(committed.commit, signatures=(b"", b"", *committed.commit.signatures[2:])))
    follower = Follower(chain.genesis, MemoryStore())
    with pytest.raises(Diverged, match="commit_certificate"):
        list(follower.follow(ChainSource(chain, weak), 1))
    assert 0 == follower.height
    with pytest.raises(OperatorError, match="is of the chain with genesis hash"):
        list(Follower(replace(chain.genesis, chain_id="other"), MemoryStore()).follow(ChainSource(chain), 1))
