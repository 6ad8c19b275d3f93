"""Brands and total losses: what stays written on a car, and whether it counts yet.

One writer alone leaves them pending. Time, a second writer, the holder or a decision settles them.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeVar

from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value
from node.ledger.fields import Address, BrandCode, OptionalTime, Time, TotalLossCategory
from node.limits import DAY_MS

BRANDS_MAX: Final = 48
BRAND_OTHERS_MAX: Final = 3
BRAND_CONFIRMED_MS: Final = 30 * DAY_MS
"""A pending brand that nobody disputes is confirmed after this time."""
BRAND_UNDECIDED_MS: Final = 60 * DAY_MS
"""A pending brand in a dispute that nobody decides is undecided when the vote ends, at the latest after this time."""


BrandState = Literal["pending", "confirmed", "undecided", "annulled"]


class Brand(Value, frozen=True):
    """A lasting mark of a car's history (see `rules.brands`), from the record `sequence` on. An entry never vanishes.
    `disputed_until_ms`: when the last vote about one of its records ends or ended, 0 where nobody disputes them.
    `others`: further records that tell it, as many as there is room for; it falls with the last of them, so that nobody
    takes another's word back."""

    code: BrandCode
    state: BrandState
    since_ms: Time
    sequence: int
    disputed_until_ms: OptionalTime
    others: Annotated[tuple[int, ...], Meta(max_length=BRAND_OTHERS_MAX)] = ()

    @property
    def records(self) -> tuple[int, ...]:
        return (self.sequence, *self.others)


class Loss(Value, frozen=True):
    """The car is a total loss, as the record `sequence` of an insurer says: pending while only one insurer says so (see
    `brand_state`), and no more blocking a handover after 30 days then. `brands`: those that the record leaves."""

    category: TotalLossCategory
    state: BrandState
    since_ms: Time
    sequence: int
    disputed_until_ms: OptionalTime
    author: Address
    brands: Annotated[tuple[BrandCode, ...], Meta(max_length=4)]


T = TypeVar("T", Brand, Loss)
"""What a record tells and one writer alone leaves pending."""


def is_loss_provisional(loss: Loss | None, now_ms: int) -> bool:
    """Whether one insurer has reported a total loss within 30 days and nobody else stands for it."""
    is_pending = loss is not None and brand_state(loss, now_ms) == "pending"
    return is_pending and loss is not None and now_ms < loss.since_ms + BRAND_CONFIRMED_MS


def brand_state(brand: Brand | Loss, now_ms: int) -> BrandState:
    """The state of a brand or a total loss as it counts at a time."""
    if brand.state != "pending":
        return brand.state
    if brand.disputed_until_ms:
        ends = min(brand.disputed_until_ms, brand.since_ms + BRAND_UNDECIDED_MS)
        return "undecided" if now_ms >= ends else "pending"
    return "confirmed" if now_ms >= brand.since_ms + BRAND_CONFIRMED_MS else "pending"


def brand_at(brand: T, now_ms: int) -> T:
    """The brand or the total loss as it counts at a time: once it is decided no dispute is waited for."""
    state = brand_state(brand, now_ms)
    return brand if state == "pending" else replace(brand, state=state, disputed_until_ms=0)


def has_brand(brands: tuple[Brand, ...], code: str, now_ms: int) -> bool:
    """Whether the car has the brand, in any state but annulled."""
    return any(brand.code == code and brand_state(brand, now_ms) != "annulled" for brand in brands)


def is_brand_change(before: tuple[Brand, ...], after: tuple[Brand, ...], now_ms: int) -> bool:
    """Whether a brand was entered or has another state. One more record that tells it is no change."""
    states = [[(brand.code, brand_state(brand, now_ms)) for brand in brands] for brands in (before, after)]
    return states[0] != states[1]


def with_brand(
    brands: tuple[Brand, ...], code: str, now_ms: int, sequence: int, *, is_confirmed: bool
) -> tuple[Brand, ...]:
    """The brands with one more, ascending by code. A brand is entered once: a pending or undecided one can become
    confirmed, and an annulled one that is reported again is as new."""
    found = next((brand for brand in brands if brand.code == code), None)
    if found is not None and brand_state(found, now_ms) != "annulled":
        known = found.others if sequence == found.sequence else (*found.others, sequence)
        state = "confirmed" if is_confirmed else found.state
        changed = replace(found, state=state, others=known[:BRAND_OTHERS_MAX])
    else:
        changed = Brand(code, "confirmed" if is_confirmed else "pending", now_ms, sequence, 0)
    others = [brand for brand in brands if brand.code != code]
    return tuple(sorted([*others, changed], key=lambda brand: brand.code))


def without_record(brand: Brand, sequence: int, now_ms: int) -> Brand | None:
    """The brand once one of its records is struck; None where no other tells it. A pending one, also one whose vote has
    ended now, counts from now again, so that there is time to dispute what is left."""
    kept = tuple(other for other in brand.records if other != sequence)
    if not kept:
        return None
    if brand.state != "pending" or brand_state(brand, now_ms) == "confirmed":
        return replace(brand, sequence=kept[0], others=kept[1:])
    until_ms = brand.disputed_until_ms if brand.disputed_until_ms > now_ms else 0  # the vote on another record
    return replace(brand, sequence=kept[0], others=kept[1:], since_ms=now_ms, disputed_until_ms=until_ms)
