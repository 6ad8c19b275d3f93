"""Attack: seller and lender end an order by a credit that fails when its part is long due, and get the fee."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS
from support.life import PRICE
from support.selling import BUYER, SELLER, after, begin, cancel, codes_of, ordered, pay, tell, with_credit

FEE, CREDIT = PRICE.amount // 10, 4_000_000


@pytest.mark.parametrize("how", ["failed", "paid and taken back"])
def test_a_buyer_has_three_days_from_when_its_credit_has_failed(how: str) -> None:
    life = ordered(replace(with_credit(CREDIT), cancel_fee=FEE), listed_ms=89 * DAY_MS)
    pay(life, 0)
    credit = begin(life, 1)
    after(life, 11)
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "buyer_default")), "the lender's to pay"
    if how == "failed":
        tell(life, "failed", payment=credit)
    else:
        tell(life, "settled", payment=credit)
        tell(life, "returned", payment=credit)
    assert [] == codes_of(life, BUYER, cancel(life, "financing_failed")), "the buyer could leave, and has no time to"
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "buyer_default"))
    after(life, 4)
    assert [] == codes_of(life, SELLER, cancel(life, "buyer_default"))
