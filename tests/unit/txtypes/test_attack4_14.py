"""Attack: a seller gets rid of a buyer, and takes its fee, by having its bank send a cent of the transfer back."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS
from support.life import PRICE, terms
from support.selling import SELLER, after, cancel, codes_of, ordered, tell


def test_a_buyer_has_time_to_pay_again_what_the_receiving_side_sent_back() -> None:
    life = ordered(replace(terms(), cancel_fee=PRICE.amount // 10), "paid", listed_ms=89 * DAY_MS)
    after(life, 11)
    tell(life, "returned", 1, code="MS02")  # by order of the customer: the receiver of the transfer
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "buyer_default"))
