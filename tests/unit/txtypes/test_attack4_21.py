"""Attack: a lender that has lent nothing gets a lien on the car that the buyer has paid itself."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS
from support.life import PRICE, VIN
from support.selling import (
    BUYER,
    SELLER,
    amend,
    begin,
    claims,
    codes_of,
    debts,
    hand_over,
    order_of,
    ordered,
    tell,
    terms,
    with_credit,
)

from node.txtypes.vehicle.vehicle import VEHICLE


def test_a_lender_that_has_lent_nothing_gets_no_lien() -> None:
    life = ordered(with_credit(1_000_000, takes_lien=True), listed_ms=89 * DAY_MS)
    tell(life, "failed", payment=begin(life, 1), code="credit_refused")
    unsigned = codes_of(life, SELLER, amend(life, replace(terms(), finance=None)), BUYER)
    assert ["signature_missing"] == unsigned, "and only the lender could end its part in the terms"
    tell(life, "settled", PRICE.amount, payment=begin(life, 0))
    hand_over(life)
    assert (0, [], {}) == (order_of(life).lent, claims(life), debts(life)), "the buyer has paid everything"
    assert [] == [flag.name for flag in life.chain.state(VEHICLE, VIN).flags]
