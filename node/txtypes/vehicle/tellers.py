"""Tellers: the authors of the records that tell a brand of a car."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.txtypes.vehicle.brands import BRAND_OTHERS_MAX, Brand, is_brand_change, with_brand
from node.txtypes.vehicle.record import Face, face_of, stored_record
from node.txtypes.vehicle.relation import related
from node.txtypes.vehicle.vehicle import Vehicle

TAKEN_BACK_MS: Final = 180 * DAY_MS
"""Within this time after a brand fell with an author's record, that author alone does not enter it anew."""


def branded(
    ledger: Ledger, vin: str, vehicle: Vehicle, codes: Iterable[str], *, is_confirmed: bool
) -> tuple[Vehicle, bool]:
    """The vehicle after the sender's next record tells the brands `codes`, and whether one was entered or has changed
    its state. The sender alone does not enter one anew that has fallen with its own record: else it would make offers
    stale at will."""
    brands = vehicle.brands
    for code in codes:
        if is_confirmed or not _has_fallen(ledger, vin, brands, code):
            brands = with_told(ledger, vin, brands, code, vehicle.record_count, is_confirmed=is_confirmed)
    return replace(vehicle, brands=brands), is_brand_change(vehicle.brands, brands, ledger.now_ms)


def _has_fallen(ledger: Ledger, vin: str, brands: tuple[Brand, ...], code: str) -> bool:
    """Whether the brand is annulled, and the last record that told it is of the sender or one related to it."""
    fallen = next((brand for brand in brands if brand.code == code and brand.state == "annulled"), None)
    return fallen is not None and any(
        ledger.now_ms < face.time_ms + TAKEN_BACK_MS and related(ledger, face.author, ledger.sender)
        for face in _faces(ledger, vin, fallen)
    )


def with_told(
    ledger: Ledger, vin: str, brands: tuple[Brand, ...], code: str, sequence: int, *, is_confirmed: bool
) -> tuple[Brand, ...]:
    """The brands after the sender's record `sequence` tells `code` (see `with_brand`). Where the brand has no room for
    one more record, one of an author that is related to another's makes room: so nobody's records crowd out those of
    others, and take the brand with them once they are amended."""
    found = next((brand for brand in brands if brand.code == code), None)
    if found is not None and found.state != "annulled" and len(found.others) >= BRAND_OTHERS_MAX:
        kept = _with_room(ledger, vin, found)
        brands = tuple(kept if brand is found else brand for brand in brands)
    return with_brand(brands, code, ledger.now_ms, sequence, is_confirmed=is_confirmed)


def _with_room(ledger: Ledger, vin: str, brand: Brand) -> Brand:
    authors = [face.author for face in _faces(ledger, vin, brand)]
    for place in range(1, len(authors)):
        others = (*authors[:place], *authors[place + 1 :])
        if any(related(ledger, authors[place], other) for other in others):
            return replace(brand, others=(*brand.others[: place - 1], *brand.others[place:]))
    return brand


def _faces(ledger: Ledger, vin: str, brand: Brand) -> Iterator[Face]:
    for sequence in brand.records:
        raw = ledger.record(vin, sequence)
        assert raw is not None, "the state names records that exist"
        yield face_of(stored_record(raw))
