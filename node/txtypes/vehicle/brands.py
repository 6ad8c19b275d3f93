"""Brands and total losses: lasting marks of a car's history, and when they count.

A brand that a single writer reports is pending. Time, a second writer, the holder or a decision of arbiters settles it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Protocol, TypeVar

from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value
from node.ledger.fields import Address, BrandCode, OptionalTime, Time, TotalLossCategory
from node.limits import DAY_MS

BRANDS_MAX: Final = 48
BRAND_OTHERS_MAX: Final = 3
BRAND_CONFIRMED_MS: Final = 30 * DAY_MS
"""A pending brand that is not disputed is confirmed after this time."""
BRAND_UNDECIDED_MS: Final = 60 * DAY_MS
"""A pending brand whose dispute is not decided becomes undecided when the vote ends, at the latest after this time."""


BrandState = Literal["pending", "confirmed", "undecided", "annulled"]


class Brand(Value, frozen=True):
    """A lasting mark of a car's history (see `rules.brands`), entered by the record `sequence`. An entry is never
    removed. `disputed_until_ms`: when the last vote about one of its records ends or ended, 0 if none is disputed.
    `others`: further records that report it, up to the bound. The brand falls with the last of its records, so that
    nobody can take back another author's report."""

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
    """A total loss, which an insurer reported in the record `sequence`. It is pending while only one insurer has
    reported it (see `brand_state`), and then blocks a handover for 30 days. `brands`: the brands that the record
    leaves. `confirms`: the record of another insurer's report that this one confirmed, -1 for none."""

    category: TotalLossCategory
    state: BrandState
    since_ms: Time
    sequence: int
    disputed_until_ms: OptionalTime
    author: Address
    brands: Annotated[tuple[BrandCode, ...], Meta(max_length=4)]
    confirms: int = -1


class Reported(Protocol):
    """A brand, a total loss or an incident: each is pending while a single writer has reported it."""

    @property
    def state(self) -> BrandState: ...

    @property
    def since_ms(self) -> int: ...

    @property
    def disputed_until_ms(self) -> int: ...


T = TypeVar("T", Brand, Loss)


def is_loss_provisional(loss: Loss | None, now_ms: int) -> bool:
    """Whether a single insurer has reported a total loss within 30 days, and nobody has confirmed it."""
    is_pending = loss is not None and brand_state(loss, now_ms) == "pending"
    return is_pending and loss is not None and now_ms < loss.since_ms + BRAND_CONFIRMED_MS


def brand_state(brand: Reported, now_ms: int) -> BrandState:
    """The state of a brand, a total loss or an incident at a time."""
    if brand.state != "pending":
        return brand.state
    if brand.disputed_until_ms:
        ends = min(brand.disputed_until_ms, brand.since_ms + BRAND_UNDECIDED_MS)
        return "undecided" if now_ms >= ends else "pending"
    return "confirmed" if now_ms >= brand.since_ms + BRAND_CONFIRMED_MS else "pending"


def brand_at(brand: T, now_ms: int) -> T:
    """The brand or the total loss with its state at a time. Once that is settled, `disputed_until_ms` is 0."""
    state = brand_state(brand, now_ms)
    return brand if state == "pending" else replace(brand, state=state, disputed_until_ms=0)


def has_brand(brands: tuple[Brand, ...], code: str, now_ms: int) -> bool:
    """Whether the car has the brand in any state other than annulled."""
    return any(brand.code == code and brand_state(brand, now_ms) != "annulled" for brand in brands)


def records_of(brands: tuple[Brand, ...], code: str) -> tuple[int, ...]:
    """The records that report the brand, up to the bound."""
    return next((brand.records for brand in brands if brand.code == code and brand.state != "annulled"), ())


def is_brand_change(before: tuple[Brand, ...], after: tuple[Brand, ...], now_ms: int) -> bool:
    """Whether a brand was entered or changed its state. A further record of the same brand is no change."""
    states = [[(brand.code, brand_state(brand, now_ms)) for brand in brands] for brands in (before, after)]
    return states[0] != states[1]


def with_brand(
    brands: tuple[Brand, ...], code: str, now_ms: int, sequence: int, *, is_confirmed: bool
) -> tuple[Brand, ...]:
    """The brands after a record that reports `code`, ascending by code. A brand has one entry: a pending or undecided
    one can become confirmed, and an annulled one is entered anew."""
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
    """The brand without one of its records, or None if no record is left. A pending brand starts its time anew, also if
    the vote on it has just ended, so that the records that are left can be disputed."""
    kept = tuple(other for other in brand.records if other != sequence)
    if not kept:
        return None
    if brand.state != "pending" or brand_state(brand, now_ms) == "confirmed":
        return replace(brand, sequence=kept[0], others=kept[1:])
    until_ms = brand.disputed_until_ms if brand.disputed_until_ms > now_ms else 0  # the vote on another record
    return replace(brand, sequence=kept[0], others=kept[1:], since_ms=now_ms, disputed_until_ms=until_ms)
