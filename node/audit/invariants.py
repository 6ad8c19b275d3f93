"""Invariants of the final state, whatever transactions led to it, each recomputed independently.

- every vehicle's `record_count` and `history_head`, from its records
- every replay-window leaf's count and chain, from the window's entries in block order
- the state tree, from the state values alone
- the market region: at most one open listing for a vehicle; its listing and order are for this vehicle
- what has come on an order is what its payments say
"""

from __future__ import annotations

from hashlib import sha256

from node.audit.divergence import Diverged
from node.crypto.hashing import ZERO32
from node.crypto.state_tree import ENTRY, StateTree, bucket_of, slot_of
from node.errors import Corrupted
from node.storage import schema
from node.storage.chain_store import ChainReader, ChainStore
from node.storage.kv import KeyValue
from node.txtypes.chain.replay_window import EMPTY, WINDOW, extended
from node.txtypes.chain.validator_set import VALIDATORS
from node.txtypes.sale.deal import CLAIM_LEG, vins_of_deal
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order import is_live
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT, net_of
from node.txtypes.vehicle.record import next_history_head, record_digest
from node.txtypes.vehicle.vehicle import VEHICLE, market_of


def check_invariants(store: ChainStore) -> None:
    """Raises `Diverged` with the broken rule and the key."""
    height = store.height()
    _check_histories(store.kv, height)
    _check_window(store, height)
    _check_tree(store, height)
    _check_market(store, height)
    if store.validators(height + 1) != store.head().validators:
        raise Diverged(height, "invariant_validators", "the stored validator set is not the one in force")
    state = store.state.get(VALIDATORS.key("set"))
    if state is None or VALIDATORS.decode(state).entries != store.head().validators.entries:
        raise Diverged(height, "invariant_validators", "the state's validator set is not the one in force")


def _check_histories(kv: KeyValue, height: int) -> None:
    """Both families are ordered by VIN: vehicles and records are read side by side."""
    records = kv.scan(b"R", b"S")
    pending = next(records, None)
    for vin, vehicle in ChainReader(kv).values(VEHICLE):
        head, count, prefix = ZERO32, 0, b"R" + vin.encode("ascii") + b"/"
        while pending is not None and pending[0].startswith(prefix):
            if pending[0] != prefix + schema.u64(count):
                raise Diverged(height, "invariant_record_gap", f"vehicle/{vin} has no record {count}")
            try:
                head = next_history_head(head, count, record_digest(pending[1]))
            except Corrupted as error:
                raise Diverged(height, "invariant_record", f"vehicle/{vin}, record {count}: {error}") from None
            count += 1
            pending = next(records, None)
        if count != vehicle.record_count:
            text = f"vehicle/{vin} has {count} records, its state says {vehicle.record_count}"
            raise Diverged(height, "invariant_record_count", text)
        if head != vehicle.history_head:
            text = f"vehicle/{vin} has history head {vehicle.history_head.hex()}, its records lead to {head.hex()}"
            raise Diverged(height, "invariant_history_head", text)
    if pending is not None:
        raise Diverged(height, "invariant_record_orphan", f"record {pending[0][1:18]!r} belongs to no vehicle")


def _check_window(store: ChainStore, height: int) -> None:
    hours: dict[int, list[tuple[bytes, int]]] = {}
    for key, value in store.window():
        entry = value[:32], int.from_bytes(value[32:], "big")
        hours.setdefault(schema.window_hour_in(key), []).append(entry)
    leaves = {int(ident): bucket for ident, bucket in store.values(WINDOW)}
    for hour in sorted(leaves.keys() | hours.keys()):
        computed = extended(EMPTY, hours.get(hour, ()))
        if leaves.get(hour, EMPTY) != computed:
            text = f"window/{hour} differs from its {computed.count} transactions"
            raise Diverged(height, "invariant_window", text)


def _check_tree(store: ChainStore, height: int) -> None:
    depth = store.tree.depth
    slots: dict[int, list[bytes]] = {}
    for key, value in store.kv.scan(b"S", b"T"):
        slot = slot_of(key[1:])
        slots.setdefault(bucket_of(slot, depth), []).append(slot + sha256(value).digest())
    assert all(len(entry) == ENTRY for entries in slots.values() for entry in entries), "an entry is slot and hash"
    tree = StateTree(depth, ((number, b"".join(sorted(entries))) for number, entries in slots.items()))
    if tree.root != store.head().state_root:
        text = f"the state values have root {tree.root.hex()}, the head {store.head().state_root.hex()}"
        raise Diverged(height, "invariant_state_root", text)


def _check_market(store: ChainStore, height: int) -> None:
    """The state learns of an expiry only when a transaction next touches the object: here what has expired is over."""
    now_ms = store.head().time_ms
    is_open: set[str] = set()
    listings: dict[bytes, str] = {}
    for ident, listing in store.values(LISTING):
        listings[bytes.fromhex(ident)] = listing.vin
        if listing.status == "open" and now_ms < listing.expires_at_ms:
            if listing.vin in is_open:
                raise Diverged(height, "invariant_one_listing", f"vehicle/{listing.vin} has two open listings")
            is_open.add(listing.vin)
    orders = {bytes.fromhex(ident): order for ident, order in store.values(ORDER)}
    nets: dict[bytes, int] = {}
    for _, payment in store.values(PAYMENT):
        if payment.leg != CLAIM_LEG:
            nets[payment.order] = nets.get(payment.order, 0) + net_of(payment)
    for name, order in orders.items():
        if order.net != nets.get(name, 0):
            raise Diverged(height, "invariant_money", f"order/{name.hex()} and its payments differ on what has come")
    for vin, vehicle in store.values(VEHICLE):
        market = market_of(vehicle, now_ms)
        if market.status == "off":
            continue
        if market.listing and listings.get(market.listing) != vin:
            raise Diverged(height, "invariant_market", f"vehicle/{vin} is on the market by no listing of its own")
        if market.status == "reserved":
            found = orders.get(market.order)
            is_reserving = found is not None and found.status == "accepted" and is_live(found, now_ms)
            if found is None or not is_reserving or vin not in vins_of_deal(found.vin, found.terms):
                raise Diverged(height, "invariant_market", f"vehicle/{vin} is reserved by no live order of its own")
        elif market.status == "returning":
            found = orders.get(market.order)
            if found is None or found.status != "withdrawn" or found.vin != vin:
                raise Diverged(height, "invariant_market", f"vehicle/{vin} goes back by no withdrawn order of its own")
        elif not market.listing:
            raise Diverged(height, "invariant_market", f"vehicle/{vin} is on the market by no listing")
