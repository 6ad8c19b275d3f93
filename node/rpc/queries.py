"""Questions to the chain, answered as plain JSON values. Every function reads one moment of it.

Lists are asked of a snapshot, because they pause every few milliseconds so that one long page never holds up the node.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from node.crypto.addresses import to_text
from node.rpc.problems import Problem
from node.rpc.render import (
    Json,
    disclosure_json,
    listing_json,
    member_json,
    name_of,
    order_json,
    payment_json,
    record_json,
    value_of,
    vehicle_json,
)
from node.rpc.request_parsing import cursor_text, number_cursor, text_cursor
from node.storage.chain_store import ChainReader
from node.storage.indexes import holder_prefix, listings_prefix, party_orders_prefix, role_prefix
from node.txtypes.accounts import ACCOUNT, Account
from node.txtypes.governance import PROPOSAL, Proposal
from node.txtypes.listing import LISTING, Listing, status_now
from node.txtypes.members import MEMBER, Member
from node.txtypes.order import ORDER, Order
from node.txtypes.payment import PAYMENT, Payment
from node.txtypes.schema import time_to_text, to_json
from node.txtypes.vehicle import VEHICLE, Vehicle, market_of

PACE_S = 0.005
SHARE = 0.6
"""Of the node's time that all long answers have together: the rest is for consensus and short questions."""
SCAN_MAX = 20_000
"""Index entries that one page may look at; a filter that finds few gets a shorter page and a cursor."""
SCAN_STEP = 500


class WorkShare:
    """Lets everything else run after each 5 ms of work; all long answers together keep to their share."""

    _free_at = 0.0
    """When the share will have paid for all work that was done."""

    def __init__(self) -> None:
        self._since = perf_counter()

    async def rest(self) -> None:
        now = perf_counter()
        used = now - self._since
        if used > PACE_S:
            WorkShare._free_at = max(WorkShare._free_at, now - used) + used / SHARE
            await asyncio.sleep(WorkShare._free_at - now)
            self._since = perf_counter()


@dataclass(frozen=True, slots=True)
class Moment:
    """A chain that stands still: the height and time of its head."""

    reader: ChainReader
    height: int
    now_ms: int

    @property
    def stamp(self) -> Json:
        """What every answer about state says of when it was true."""
        return {"height": self.height, "time": time_to_text(self.now_ms)}


def moment_of(reader: ChainReader) -> Moment:
    """Now. Good until the next await."""
    head = reader.head()
    return Moment(reader, head.height, head.time_ms)


@contextmanager
def standing(reader: ChainReader) -> Iterator[Moment]:
    """A snapshot, for questions that pause."""
    snapshot = reader.kv.snapshot()
    try:
        yield moment_of(ChainReader(snapshot))
    finally:
        snapshot.close()


@asynccontextmanager
async def standing_paced(reader: ChainReader) -> AsyncIterator[tuple[Moment, WorkShare]]:
    with standing(reader) as moment:
        yield moment, WorkShare()


# --- vehicles --------------------------------------------------------------------------------------------
def vehicle_answer(moment: Moment, vin: str) -> Json:
    return {**vehicle_json(moment.reader, vin, _vehicle(moment, vin), moment.now_ms), **moment.stamp}


def _vehicle(moment: Moment, vin: str) -> Vehicle:
    vehicle: Vehicle | None = value_of(moment.reader, VEHICLE, vin)
    if vehicle is None:
        raise Problem("vehicle_unknown", f"{vin}: no vehicle of this chain")
    return vehicle


async def history_page(reader: ChainReader, vin: str, limit: int, cursor: str) -> tuple[int, Json]:
    """Records from the oldest on; (height read at, page)."""
    start = number_cursor("history/" + vin, cursor, 0)
    async with standing_paced(reader) as (moment, share):
        vehicle = _vehicle(moment, vin)
        records = []
        for _, raw in moment.reader.records(vin, start, limit):
            records.append(record_json(moment.reader, vin, raw))
            await share.rest()
        following = start + len(records)
        return moment.height, {
            "vin": vin,
            "records": records,
            "record_count": vehicle.record_count,
            "history_head": vehicle.history_head.hex(),
            "cursor": cursor_text("history/" + vin, following) if following < vehicle.record_count else None,
            **moment.stamp,
        }


# --- sale ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ListingFilter:
    country: str = ""
    model: str = ""
    seller: bytes = b""
    vin: str = ""

    def fits(self, moment: Moment, ident: str, listing: Listing) -> bool:
        if (self.country and listing.country != self.country) or (self.seller and listing.seller != self.seller):
            return False
        if self.vin and listing.vin != self.vin:
            return False
        # the vehicle is read only where it decides: a page may look at thousands of listings
        vehicle: Vehicle | None = None
        if self.model or listing.status == "reserved":
            vehicle = value_of(moment.reader, VEHICLE, listing.vin)
        if self.model and (vehicle is None or vehicle.model != self.model):
            return False
        return status_now(bytes.fromhex(ident), listing, vehicle, moment.now_ms) == "open"


async def listings_page(reader: ChainReader, wanted: ListingFilter, limit: int, cursor: str) -> tuple[int, Json]:
    """Open listings that fit, in the order of their ids."""
    after = text_cursor("listings", cursor)
    async with standing_paced(reader) as (moment, share):
        if wanted.vin:
            found = _listing_of_vehicle(moment, wanted)
            return moment.height, {"listings": found, "cursor": None, **moment.stamp}
        listings: list[Json] = []
        scanned = 0
        is_more = True
        while is_more and len(listings) < limit and scanned < SCAN_MAX:
            idents = moment.reader.index(listings_prefix("open"), after, SCAN_STEP)
            is_more = len(idents) == SCAN_STEP
            for place, ident in enumerate(idents):
                after = ident
                scanned += 1
                listing: Listing | None = value_of(moment.reader, LISTING, ident)
                if listing is not None and wanted.fits(moment, ident, listing):
                    listings.append(listing_json(moment.reader, ident, listing, moment.now_ms))
                    if len(listings) == limit:
                        is_more = is_more or place + 1 < len(idents)
                        break
                await share.rest()
        following = cursor_text("listings", after) if is_more and after else None
        return moment.height, {"listings": listings, "cursor": following, **moment.stamp}


def _listing_of_vehicle(moment: Moment, wanted: ListingFilter) -> list[Json]:
    vehicle: Vehicle | None = value_of(moment.reader, VEHICLE, wanted.vin)
    market = market_of(vehicle, moment.now_ms) if vehicle else None
    if market is None or market.status != "listed":
        return []
    listing: Listing | None = value_of(moment.reader, LISTING, market.listing)
    if listing is None or not wanted.fits(moment, market.listing.hex(), listing):
        return []
    return [listing_json(moment.reader, market.listing.hex(), listing, moment.now_ms)]


def _listing(moment: Moment, ident: bytes) -> Listing:
    listing: Listing | None = value_of(moment.reader, LISTING, ident)
    if listing is None:
        raise Problem("listing_unknown", f"{ident.hex()}: no listing of this chain")
    return listing


def listing_answer(moment: Moment, ident: bytes) -> Json:
    listing = _listing(moment, ident)
    return {**listing_json(moment.reader, ident.hex(), listing, moment.now_ms), **moment.stamp}


def disclosure_answer(moment: Moment, ident: bytes) -> Json:
    return {**disclosure_json(moment.reader, ident, _listing(moment, ident)), **moment.stamp}


def order_answer(moment: Moment, ident: bytes) -> Json:
    order: Order | None = value_of(moment.reader, ORDER, ident)
    if order is None:
        raise Problem("order_unknown", f"{ident.hex()}: no order of this chain")
    return {**order_json(moment.reader, ident.hex(), order, moment.now_ms), **moment.stamp}


def payment_answer(moment: Moment, ident: bytes) -> Json:
    payment: Payment | None = value_of(moment.reader, PAYMENT, ident)
    if payment is None:
        raise Problem("payment_unknown", f"{ident.hex()}: no payment of this chain")
    return {**payment_json(ident.hex(), payment), **moment.stamp}


# --- accounts and members ----------------------------------------------------------------------------------
def _account(moment: Moment, address: bytes) -> Account:
    account: Account | None = value_of(moment.reader, ACCOUNT, address)
    if account is None:
        raise Problem("account_unknown", f"{to_text(address)}: no account of this chain")
    return account


def account_answer(moment: Moment, address: bytes) -> Json:
    account = _account(moment, address)
    member: Member | None = value_of(moment.reader, MEMBER, address)
    return {
        "address": to_text(address),
        **to_json(account),
        "sponsor_name": name_of(moment.reader, account.sponsor),
        "member": None if member is None else member_json(address, member, moment.now_ms),
        **moment.stamp,
    }


async def account_vehicles_page(reader: ChainReader, address: bytes, limit: int, cursor: str) -> tuple[int, Json]:
    """Vehicles whose title the account holds, by VIN."""
    kind = "vehicles/" + address.hex()
    after = text_cursor(kind, cursor)
    async with standing_paced(reader) as (moment, share):
        _account(moment, address)
        vins = moment.reader.index(holder_prefix(address), after, limit + 1)
        vehicles = []
        for vin in vins[:limit]:
            vehicles.append(vehicle_json(moment.reader, vin, _vehicle(moment, vin), moment.now_ms))
            await share.rest()
        following = cursor_text(kind, vins[limit - 1]) if len(vins) > limit else None
        return moment.height, {"vehicles": vehicles, "cursor": following, **moment.stamp}


async def account_orders_page(reader: ChainReader, address: bytes, limit: int, cursor: str) -> tuple[int, Json]:
    """Orders that the account is a party to, by id."""
    kind = "orders/" + address.hex()
    after = text_cursor(kind, cursor)
    async with standing_paced(reader) as (moment, share):
        _account(moment, address)
        idents = moment.reader.index(party_orders_prefix(address), after, limit + 1)
        orders = []
        for ident in idents[:limit]:
            order: Order | None = value_of(moment.reader, ORDER, ident)
            assert order is not None, "an index entry has its order"
            orders.append(order_json(moment.reader, ident, order, moment.now_ms))
            await share.rest()
        following = cursor_text(kind, idents[limit - 1]) if len(idents) > limit else None
        return moment.height, {"orders": orders, "cursor": following, **moment.stamp}


async def members_page(reader: ChainReader, role: str, limit: int, cursor: str) -> tuple[int, Json]:
    """Members, or those that hold `role` now."""
    kind = "members/" + role
    after = text_cursor(kind, cursor)
    async with standing_paced(reader) as (moment, share):
        members: list[Json] = []
        is_more = True
        while is_more and len(members) < limit:
            idents = moment.reader.index(role_prefix(role or "member"), after, SCAN_STEP)
            is_more = len(idents) == SCAN_STEP
            for place, ident in enumerate(idents):
                after = ident
                member: Member | None = value_of(moment.reader, MEMBER, ident)
                assert member is not None, "an index entry has its member"
                shown = member_json(bytes.fromhex(ident), member, moment.now_ms)
                if not role or role in shown["roles"]:
                    members.append(shown)
                await share.rest()
                if len(members) == limit:
                    is_more = is_more or place + 1 < len(idents)
                    break
        following = cursor_text(kind, after) if is_more and after else None
        return moment.height, {"members": members, "cursor": following, **moment.stamp}


def proposal_answer(moment: Moment, ident: bytes) -> Json:
    proposal: Proposal | None = value_of(moment.reader, PROPOSAL, ident)
    if proposal is None:
        raise Problem("proposal_unknown", f"{ident.hex()}: no proposal of this chain")
    shown: dict[str, Any] = to_json(proposal)
    if proposal.status == "open" and moment.now_ms >= proposal.expires_at_ms:
        shown["status"] = "expired"
    return {"id": ident.hex(), **shown, **moment.stamp}
