"""Attack: a maker names another built car after the parts of the price are due, and calls it the buyer's default."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import VIN, Life, accept, acknowledge, attest, initiate, register
from support.specimens import specimen
from support.stages import at
from test_building import BUYER, DEPOSIT, MAKER, PROVIDER, assigning, codes_of, in_two_parts, offering, order_of


def test_the_parts_of_another_built_car_are_due_only_once_the_buyer_has_agreed_to_it() -> None:
    life: Life = at("")
    life.listing = life.chain.do(MAKER, specimen("listing.build", life.chain))
    agreed = replace(in_two_parts(), cancel_fee=DEPOSIT.amount)
    life.order = life.chain.do(BUYER, offering(life, terms=agreed))
    life.chain.do(MAKER, accept(life.chain, life.order, material_root=bytes(32)), BUYER)
    deposit = life.chain.do(BUYER, initiate(life.order, DEPOSIT, leg=0))
    life.chain.do(PROVIDER, attest(life.chain, deposit, amount=DEPOSIT))
    life.chain.do(MAKER, register())
    life.chain.do(MAKER, assigning(life))
    life.chain.do(BUYER, acknowledge(life.chain, life.order))
    other = VIN[:-1] + "6"
    life.chain.do(MAKER, register(other))
    life.chain.do(MAKER, assigning(life, other))  # the buyer has agreed to nothing of this car
    life.chain.now += 15 * DAY_MS
    assert address(BUYER) == order_of(life).buyer and bytes(32) == order_of(life).agreed_root
    default = specimen("order.cancel", life.chain, {"order": life.order}, reason="buyer_default")
    assert ["cancel_reason"] == codes_of(life, MAKER, default)
