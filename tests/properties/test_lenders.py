"""The lender of a deal is the bank that pays the credit: nobody gets a lien that it has not paid for."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import address
from support.deals import accepting, handing, with_credit
from support.life import PRICE, VIN, attest, initiate, offer, terms
from support.ordering import BUYER, SELLER, codes_of
from support.stages import at

from node.ledger.fields import Money
from node.txtypes.vehicle.vehicle import VEHICLE

SHARE = 1_000_000
CREDIT = with_credit(terms(), SHARE, takes_lien=True)


@pytest.mark.parametrize("who", ["police-1", "payment-provider-1", SELLER])
def test_nobody_else_is_named_as_the_lender(who: str) -> None:
    life = at("listed")
    assert CREDIT.finance is not None
    other = replace(CREDIT, finance=replace(CREDIT.finance, lender=address(who)))
    assert ["legs_kind"] == codes_of(life, BUYER, offer(life.chain, life.listing, terms=other))


def test_the_bank_that_has_paid_gets_its_lien_with_the_handover() -> None:
    life = at("listed")
    chain = life.chain
    order = chain.do(BUYER, offer(chain, life.listing, terms=CREDIT))
    chain.do(SELLER, accepting(chain, order), BUYER)
    parts = ((0, PRICE.amount - SHARE, "payment-provider-1", "sct"), (1, SHARE, "bank-1", "credit"))
    for leg, amount, provider, scheme in parts:
        assert "payment_not_final" in codes_of(life, SELLER, handing(chain, order), BUYER)
        money = Money(amount, "EUR")
        payment = chain.do(BUYER, initiate(order, money, leg=leg, scheme=scheme))
        chain.do(provider, attest(chain, payment, reference=bytes([leg + 1]), amount=money))
    chain.do(SELLER, handing(chain, order), BUYER)
    assert [("lien", address("bank-1"))] == [(f.name, f.setter) for f in chain.state(VEHICLE, VIN).flags]
