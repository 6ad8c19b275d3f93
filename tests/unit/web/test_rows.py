"""A row is open when its listing is, at every time; a store keeps what it was told, or begins anew."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from support.chain import DAY_MS, Chain
from support.life import VIN
from support.listed_rows import DEALER, MEMBERS, rows
from support.selling import LONG, SELLER, ordered
from support.specimens import specimen

from node.ledger.family import AsOf
from node.txtypes.rulesets import RULESETS
from node.txtypes.sale.listing import LISTING, status_now
from node.txtypes.vehicle.vehicle import VEHICLE
from web.read_model.row import row_of
from web.read_model.store import SCHEMA, Meta, Store

GENESIS = b"g" * 32


class Reading:
    """A chain as a reader of its state."""

    def __init__(self, chain: Chain) -> None:
        self.get = chain.state


def test_a_reserved_car_is_for_sale_again_when_its_listing_says_so() -> None:
    life = ordered(listed_ms=LONG)
    chain, now = life.chain, life.chain.now
    listing, car = chain.state(LISTING, life.listing), chain.state(VEHICLE, VIN)
    row = row_of(life.listing, Reading(chain), as_of(chain))
    assert row is not None
    assert 0 < row.open_from_ms < row.open_until_ms
    edges = [now, row.open_from_ms - 1, row.open_from_ms, row.open_until_ms - 1, row.open_until_ms, now + 300 * DAY_MS]
    for at_ms in edges:
        is_open = row.open_from_ms <= at_ms < row.open_until_ms
        assert is_open == (status_now(life.listing, listing, car, at_ms) == "open"), at_ms


def test_a_listing_that_ends_has_no_row() -> None:
    life = ordered(stage="offered")
    assert row_of(life.listing, Reading(life.chain), as_of(life.chain)) is not None
    life.chain.do(SELLER, specimen("listing.withdraw", None, {"listing": life.listing}))
    assert row_of(life.listing, Reading(life.chain), as_of(life.chain)) is None
    assert row_of(b"\0" * 32, Reading(life.chain), as_of(life.chain)) is None


def as_of(chain: Chain):
    return AsOf(0, RULESETS[chain.store.head().params.ruleset])


def test_a_store_has_what_it_was_told_in_one_transaction(tmp_path: Path) -> None:
    path, listed = tmp_path / "showroom.db", rows(3, 1)
    store = Store(path, GENESIS)
    meta = Meta(GENESIS, 7, 2, b"b" * 32, None, None)
    store.write(meta, dict(enumerate(listed)), (), MEMBERS)
    store.write(meta._replace(height=8), {}, [1])
    store.close()
    again = Store(path, GENESIS)
    assert meta._replace(height=8) == again.meta
    assert {0: listed[0], 2: listed[2]} == dict(again.rows())
    assert MEMBERS == dict(again.members())
    assert [listed[2], listed[0]] == again.at([2, 1, 0])
    assert (listed[0], None) == (again.row(listed[0].ident), again.row(listed[1].ident))
    assert {slot for slot, row in again.rows() if row.seller == DEALER} == {slot for slot, _ in again.of_seller(DEALER)}
    again.close()


@pytest.mark.parametrize("spoil", [
    lambda path: run(path, "UPDATE meta SET genesis_hash = x'00'"),
    lambda path: run(path, f"UPDATE meta SET schema = {SCHEMA + 1}"),
    lambda path: path.write_bytes(b"no database at all" * 100),
])  # fmt: skip
def test_a_store_of_another_chain_or_schema_or_a_damaged_one_begins_anew(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:  # fmt: skip
    path = tmp_path / "showroom.db"
    store = Store(path, GENESIS)
    store.write(Meta(GENESIS, 7, 2, b"", None, None), dict(enumerate(rows(3, 1))))
    store.close()
    spoil(path)
    store = Store(path, GENESIS)
    assert (Meta(GENESIS), []) == (store.meta, list(store.rows()))
    store.close()


def run(path: Path, command: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(command)
