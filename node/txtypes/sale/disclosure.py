"""Disclosure: the facts about a listed car that an offer depends on, and the hash over them that it names."""

from __future__ import annotations

from typing import Literal

from node.codec import encode
from node.crypto.hashing import tagged
from node.errors import Malformed
from node.ledger.family import AsOf, Reader, View
from node.ledger.fields import Address, Hash32, Id, Money, Time, Vin
from node.ledger.overlay import Ledger
from node.rules.odometer import Verdict
from node.txtypes.sale.listing import LISTING, Listing
from node.txtypes.vehicle.conditions import DISCLOSURE_STALE, Discloses, conditions_of
from node.txtypes.vehicle.life import LIFE, disputes_at
from node.txtypes.vehicle.regions import OpenRecall, flags_at
from node.txtypes.vehicle.vehicle import (
    VEHICLE,
    BrandView,
    Vehicle,
    brand_views,
    material_root,
    vehicle_at,
    verdict_now,
)


class Disclosure(View, frozen=True):
    """The facts about a listed car that a buyer sees, and the root over them that an offer names."""

    vin: Vin
    listing: Id
    listing_version: int
    holder: Address
    transfer_count: int
    origin: Literal["born", "imported"]
    grade: str
    covered_since_ms: Time
    material_changes: int
    material_head: Hash32
    material_root: Hash32
    price: Money
    disclosure_root: Hash32
    flags: tuple[str, ...]
    """This and what follows is shown with the root: what of it is material stands in `material_head`."""
    brands: tuple[BrandView, ...]
    recalls: tuple[OpenRecall, ...]
    verdict: Verdict
    conditions: tuple[str, ...]
    discloses: Discloses

    @staticmethod
    def of(ident: str, listing: Listing, reader: Reader, as_of: AsOf) -> Disclosure:
        found = reader.get(VEHICLE, listing.vin)
        if found is None:
            raise Malformed("this listing is of cars to be built: what an offer on it depends on is the listing itself")
        vehicle = vehicle_at(found, as_of.now_ms)
        return Disclosure(
            listing.vin, bytes.fromhex(ident), listing.version, vehicle.holder, vehicle.transfer_count, vehicle.origin,
            vehicle.grade, vehicle.covered_since_ms, vehicle.material_changes, vehicle.material_head,
            material_root(listing.vin, vehicle), listing.price,
            disclosure_root(bytes.fromhex(ident), listing, vehicle),
            flags=tuple(flag.name for flag in flags_at(vehicle.flags, as_of.now_ms)),
            brands=brand_views(vehicle, as_of.now_ms), recalls=vehicle.recalls,
            verdict=verdict_now(reader, listing.vin, vehicle, as_of.rules),
            conditions=_shown_conditions(reader, listing.vin, vehicle, as_of),
            discloses=listing.discloses,
        )  # fmt: skip


def _shown_conditions(reader: Reader, vin: str, vehicle: Vehicle, as_of: AsOf) -> tuple[str, ...]:
    disputed = ("dispute_open",) if disputes_at(reader.get(LIFE, vin), as_of.now_ms) else ()
    return (*conditions_of(reader, vin, vehicle, as_of.now_ms, as_of.rules), *disputed)


def disclosure_root(ident: bytes, listing: Listing, vehicle: Vehicle | None) -> bytes:
    """One hash over what an offer depends on: `H("bmw/disclosure", encode([material root, listing, version, amount,
    currency]))`. The version implies what the seller discloses."""
    price = listing.price
    root = material_root(listing.vin, vehicle) if vehicle is not None else b""
    facts = [root, ident, listing.version, price.amount, price.currency]
    return tagged("bmw/disclosure", encode(facts))


def check_disclosure(ledger: Ledger, root: bytes, listing_id: bytes) -> None:
    """Notes `disclosure_stale` unless `root` is that of the present facts."""
    listing = ledger.get(LISTING, listing_id)
    vehicle = ledger.get(VEHICLE, listing.vin) if listing else None
    if listing and (vehicle or not listing.vin) and (now := disclosure_root(listing_id, listing, vehicle)) != root:
        ledger.unmet(DISCLOSURE_STALE, listing.vin, root.hex(), now.hex())
