"""Attack: the buyer of a car that is built to order leaves free of its fee as soon as the car is built as ordered."""

from __future__ import annotations

from msgspec.structs import replace
from support.life import Life, accept, attest, initiate, register
from support.specimens import specimen
from support.stages import at
from test_building import BUYER, DEPOSIT, MAKER, PROVIDER, assigning, codes_of, in_two_parts, offering


def test_a_car_that_was_built_as_ordered_has_not_changed() -> None:
    life: Life = at("")
    life.listing = life.chain.do(MAKER, specimen("listing.build", life.chain))
    agreed = replace(in_two_parts(), cancel_fee=DEPOSIT.amount)
    life.order = life.chain.do(BUYER, offering(life, terms=agreed))
    life.chain.do(MAKER, accept(life.chain, life.order, material_root=bytes(32)), BUYER)
    deposit = life.chain.do(BUYER, initiate(life.order, DEPOSIT, leg=0))
    life.chain.do(PROVIDER, attest(life.chain, deposit, amount=DEPOSIT))
    life.chain.do(MAKER, register())
    life.chain.do(MAKER, assigning(life))
    leaves = specimen("order.cancel", life.chain, {"order": life.order}, reason="vehicle_changed")
    assert ["cancel_reason"] == codes_of(life, BUYER, leaves)
