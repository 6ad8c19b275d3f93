"""Attack: a buyer leaves free of its fee for a credit that failed before the order was revived, or changed lender."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS
from support.life import PRICE
from support.selling import BANK, BUYER, SELLER, begin, cancel, codes_of, ordered, pay, reinstate, tell, with_credit

FEE, CREDIT = PRICE.amount // 10, 4_000_000


def test_a_credit_that_failed_before_a_reinstatement_is_no_reason_after_it() -> None:
    life = ordered(replace(with_credit(CREDIT), cancel_fee=FEE), listed_ms=89 * DAY_MS)
    pay(life, 0)
    tell(life, "failed", payment=begin(life, 1))
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    life.chain.do(SELLER, reinstate(life, 60), BUYER, BANK)  # the lender has signed that it goes on
    begin(life, 1)
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "financing_failed"))
