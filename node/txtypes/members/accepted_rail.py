"""The rails that a seller accepts, each with its providers and conditions."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from node.codec import Value
from node.ledger.fields import Address, Rail
from node.limits import DAY_MS

Duration = Annotated[int, Meta(ge=0, le=366 * DAY_MS, description="milliseconds")]
PerMille = Annotated[int, Meta(ge=0, le=1_000)]


class AcceptedRail(Value, frozen=True):
    """A rail and the providers through which the seller takes it; a car traded in has none. `share_max_permille`: the
    part of the price that may be paid on it. `hold_ms`: settled money counts for the title only so long after it came.
    `allow_sponsored`: a provider may serve a buyer whose account it has opened."""

    rail: Rail
    providers: Annotated[tuple[Address, ...], Meta(max_length=16)]
    share_max_permille: PerMille = 1_000
    hold_ms: Annotated[int, Meta(ge=0, le=180 * DAY_MS, description="milliseconds")] = 0
    allow_sponsored: bool = False


Rails = Annotated[tuple[AcceptedRail, ...], Meta(min_length=1, max_length=16)]
