"""Disclosure: what a buyer is shown of a listed car, as one hash that an offer names."""

from __future__ import annotations

from node.codec import encode
from node.crypto.hashing import tagged
from node.ledger.family import AsOf, Reader, View
from node.ledger.fields import Hash32, Id, Money, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.rules.odometer import Verdict
from node.txtypes.sale.listing import LISTING, Listing
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

# fmt: off
DISCLOSURE_STALE = Guard("disclosure_stale", "what was shown is not what is", "das Gezeigte ist nicht mehr der Stand",
                         "披露信息已过时")
# fmt: on


class Disclosure(View, frozen=True):
    """What a buyer is shown, and the root over it that an offer has to name."""

    vin: Vin
    listing: Id
    listing_version: int
    record_count: int
    history_head: Hash32
    flags: tuple[str, ...]
    recalls: tuple[str, ...]
    verdict: Verdict
    brands: tuple[str, ...]
    warranty: bytes
    price: Money
    disclosure_root: Hash32

    @staticmethod
    def of(ident: str, listing: Listing, reader: Reader, as_of: AsOf) -> Disclosure:
        vehicle = reader.get(VEHICLE, listing.vin)
        assert vehicle is not None, "a listing has a vehicle"
        return Disclosure(
            listing.vin,
            bytes.fromhex(ident),
            listing.version,
            vehicle.record_count,
            vehicle.history_head,
            tuple(flag.name for flag in vehicle.flags),
            vehicle.recalls,
            vehicle.verdict,
            vehicle.brands,
            vehicle.warranty,
            listing.price,
            disclosure_root(bytes.fromhex(ident), listing, vehicle),
        )


def disclosure_root(ident: bytes, listing: Listing, vehicle: Vehicle) -> bytes:
    """What a buyer was shown, as one hash, from state alone (docs/PROTOCOL.md, Disclosure).

    `odometer_disclosed` is not in it: it never changes within a version of the listing, which is.
    """
    flags = [flag.name for flag in vehicle.flags]
    shown = [listing.vin, ident, listing.version, vehicle.record_count, vehicle.history_head, flags,
             list(vehicle.recalls), vehicle.verdict, list(vehicle.brands), vehicle.warranty,
             listing.price.amount, listing.price.currency]  # fmt: skip
    return tagged("bmw/disclosure", encode(shown))


def check_disclosure(ledger: Ledger, root: bytes, listing_id: bytes) -> None:
    """Notes `disclosure_stale` unless `root` is over what a buyer is shown now."""
    listing = ledger.get(LISTING, listing_id)
    vehicle = ledger.get(VEHICLE, listing.vin) if listing else None
    if listing is not None and vehicle is not None:
        now = disclosure_root(listing_id, listing, vehicle)
        if now != root:
            ledger.unmet(DISCLOSURE_STALE, listing.vin, root.hex(), now.hex())
