"""A car that was handed over comes back: the buyer withdraws alone, or both agree; what is owed then."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import PRICE, VIN, Life, accept, attest, handover, initiate, km, offer, terms
from support.ordering import BUYER, SELLER, codes_of
from support.selling import debts
from support.specimens import specimen
from support.stages import at

from node.ledger.family import AsOf
from node.ledger.fields import Money
from node.rpc.moments import moment_of
from node.rules.deals import RETURN_MS
from node.txtypes.members.conduct import CONDUCT
from node.txtypes.rulesets import RULESETS
from node.txtypes.sale.order_family import ORDER, OrderView, status_of
from node.txtypes.vehicle.claims import ORDER_CLAIMS
from node.txtypes.vehicle.vehicle import VEHICLE, market_of

PROVIDER = "payment-provider-1"


def sold_at_a_distance(**changes) -> Life:
    """A consumer has bought by a distance contract, and has the car."""
    life = at("listed")
    agreed = terms(**dict(contract="distance", text=bytes(32)) | changes)
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=agreed))
    life.chain.do(SELLER, accept(life.chain, life.order))
    life.payment = life.chain.do(BUYER, initiate(life.order))
    life.chain.do(PROVIDER, attest(life.chain, life.payment))
    life.chain.do(SELLER, handover(life.chain, life.order), BUYER)
    return life


def order_of(life: Life):
    return life.chain.state(ORDER, life.order)


def withdraw(life: Life):
    return specimen("order.withdraw", life.chain, {"order": life.order})


def give_back(life: Life, **changes):
    plain = dict(odometer=km(170), event_at_ms=life.chain.now)
    return specimen("order.return", life.chain, {"order": life.order}, **plain | changes)


def shown_status(life: Life) -> str:
    return status_of(order_of(life), moment_of(life.chain.store), life.chain.now)


def test_a_consumer_withdraws_alone_and_gets_everything_back() -> None:
    life = sold_at_a_distance()
    assert [] == codes_of(life, BUYER, withdraw(life))
    life.chain.do(BUYER, withdraw(life))
    vehicle = life.chain.state(VEHICLE, VIN)
    assert ("returning", address(BUYER)) == (market_of(vehicle, life.chain.now).status, vehicle.holder)
    life.chain.do(BUYER, give_back(life, reason="withdrawal"), SELLER)
    assert address(SELLER) == life.chain.state(VEHICLE, VIN).holder
    assert ("returned", {BUYER: PRICE.amount}) == (order_of(life).status, debts(life))


def test_nobody_else_withdraws_and_nobody_from_another_contract() -> None:
    life = sold_at_a_distance()
    assert ["not_a_party"] == codes_of(life, SELLER, withdraw(life))
    on_premises = at("handed_over")
    assert ["withdrawal_over"] == codes_of(on_premises, BUYER, withdraw(on_premises))


def test_the_right_ends_with_the_fourteenth_day_wherever_that_is() -> None:
    life = sold_at_a_distance()
    until = order_of(life).withdraw_until_ms
    day = life.chain.now // DAY_MS
    assert (day + 15) * DAY_MS < until <= (day + 16) * DAY_MS
    life.chain.now = until - 1
    assert [] == codes_of(life, BUYER, withdraw(life))
    life.chain.now = until
    assert ["withdrawal_over"] == codes_of(life, BUYER, withdraw(life))


def test_without_the_information_the_right_lasts_a_year_longer() -> None:
    informed = order_of(sold_at_a_distance()).withdraw_until_ms
    assert 365 * DAY_MS == order_of(sold_at_a_distance(text=None)).withdraw_until_ms - informed


def test_a_withdrawal_that_brings_no_car_back_lapses() -> None:
    life = sold_at_a_distance()
    life.chain.do(BUYER, withdraw(life))
    assert "withdrawn" == shown_status(life)
    life.chain.now += RETURN_MS
    assert ("completed", {}) == (shown_status(life), debts(life))
    assert "off" == market_of(life.chain.state(VEHICLE, VIN), life.chain.now).status


def test_what_came_too_much_can_be_claimed_while_the_car_is_on_its_way_back() -> None:
    life = sold_at_a_distance()
    life.chain.do(PROVIDER, attest(life.chain, life.payment, "settled", b"twice", amount=Money(5, "EUR")))
    life.chain.do(BUYER, withdraw(life))
    life.chain.now += 14 * DAY_MS + 1
    life.chain.do(BUYER, specimen("order.claim_refund", life.chain, {"order": life.order}))
    assert ("withdrawn", 1) == (order_of(life).status, life.chain.state(CONDUCT, address(SELLER)).refunds_overdue)
    life.chain.do(BUYER, give_back(life), SELLER)
    assert {BUYER: PRICE.amount + 5} == debts(life)


def test_a_car_on_its_way_back_is_sold_to_nobody() -> None:
    life = sold_at_a_distance()
    life.chain.do(BUYER, withdraw(life))
    gift = specimen("title.assign", life.chain)
    assert "market_live" in codes_of(life, BUYER, gift, SELLER)


@pytest.mark.parametrize(("driven", "allowed"), [(0, 0), (1, 1), (1_000, 1), (1_001, 2)])
def test_the_deduction_follows_the_distance_driven(driven: int, allowed: int) -> None:
    life = sold_at_a_distance()
    most = PRICE.amount * 5 * allowed // 1_000
    read = dict(odometer=km(160 + driven))
    assert [] == codes_of(life, BUYER, give_back(life, deduction=most, **read), SELLER)
    assert ["deduction_high"] == codes_of(life, BUYER, give_back(life, deduction=most + 1, **read), SELLER)


def test_the_seller_keeps_the_deduction() -> None:
    life = sold_at_a_distance()
    life.chain.do(BUYER, give_back(life, odometer=km(1_160), deduction=1_000), SELLER)
    assert {BUYER: PRICE.amount - 1_000} == debts(life)


def test_both_agree_to_a_return_of_any_contract() -> None:
    life = at("handed_over")
    body = give_back(life)
    assert ["signature_missing"] == codes_of(life, BUYER, body)
    life.chain.do(BUYER, body, SELLER)
    assert address(SELLER) == life.chain.state(VEHICLE, VIN).holder


def test_a_car_goes_back_only_if_it_was_taken() -> None:
    life = sold_at_a_distance()
    back = give_back(life, trade_in_back=True, trade_odometer=km(10))
    assert ["trade_in_gone"] == codes_of(life, BUYER, back, SELLER)


def test_an_overdue_refund_bars_the_seller_until_it_is_confirmed() -> None:
    life = sold_at_a_distance()
    life.chain.do(BUYER, give_back(life), SELLER)
    claim = specimen("order.claim_refund", life.chain, {"order": life.order})
    assert ["refund_not_due"] == codes_of(life, BUYER, claim)
    life.chain.now += 14 * DAY_MS + 1
    assert ["refund_not_due"] == codes_of(life, SELLER, claim)
    life.chain.do(BUYER, claim)
    assert ["refund_not_due"] == codes_of(life, BUYER, claim)
    listed = specimen("listing.create", life.chain, expires_at_ms=life.chain.now + DAY_MS)
    assert "refund_overdue" in codes_of(life, SELLER, listed)
    back = dict(amount=replace(PRICE, amount=PRICE.amount))
    life.chain.do(BUYER, specimen("payment.confirm_refund", None, {"payment": life.payment}, **back))
    assert 0 == life.chain.state(CONDUCT, address(SELLER)).refunds_overdue
    assert "refund_overdue" not in codes_of(life, SELLER, listed)


def test_a_charge_back_after_the_handover_leaves_a_claim_that_its_creditor_releases() -> None:
    life = at("listed")
    agreed = terms(rail="card")
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=agreed))
    life.chain.do(SELLER, accept(life.chain, life.order), BUYER)
    life.payment = life.chain.do(BUYER, initiate(life.order, scheme="visa"))
    for number, kind in enumerate(("authorised", "captured", "settled")):
        life.chain.do(PROVIDER, attest(life.chain, life.payment, kind, b"arn-%d" % number))
    life.chain.do(SELLER, handover(life.chain, life.order), BUYER)
    life.chain.do(PROVIDER, attest(life.chain, life.payment, "charged_back", b"arn-back"))
    [claim] = life.chain.state(ORDER_CLAIMS, life.order).entries
    assert (address(BUYER), address(SELLER), PRICE) == (claim.debtor, claim.creditor, claim.amount)
    assert address(BUYER) == life.chain.state(VEHICLE, VIN).holder
    sold_on = specimen("listing.create", life.chain)
    assert "claims_open" in codes_of(life, BUYER, sold_on)
    release = specimen("claim.release", life.chain, {"order": life.order})
    assert ["claim_absent"] == codes_of(life, BUYER, release)
    life.chain.do(SELLER, replace(release, amount=Money(1, "EUR")))
    assert PRICE.amount - 1 == life.chain.state(ORDER_CLAIMS, life.order).entries[0].amount.amount
    life.chain.do(SELLER, replace(release, amount=replace(PRICE, amount=PRICE.amount - 1)))
    assert life.chain.state(ORDER_CLAIMS, life.order) is None
    assert "claims_open" not in codes_of(life, BUYER, sold_on)


def test_a_won_charge_back_ends_the_claim() -> None:
    life = sold_at_a_distance()
    life.chain.do(PROVIDER, attest(life.chain, life.payment, "returned", b"recall"))
    assert PRICE == life.chain.state(ORDER_CLAIMS, life.order).entries[0].amount
    life.chain.do(PROVIDER, attest(life.chain, life.payment, "settled", b"again"))
    assert life.chain.state(ORDER_CLAIMS, life.order) is None


def test_the_view_tells_what_is_owed() -> None:
    life = sold_at_a_distance()
    life.chain.do(BUYER, give_back(life), SELLER)
    as_of = AsOf(life.chain.now, RULESETS[1])
    view = OrderView.of(life.order.hex(), order_of(life), moment_of(life.chain.store), as_of)
    assert [(address(BUYER), PRICE)] == [(debt.creditor, debt.amount) for debt in view.debts]
