"""What a transaction means: every type shows its body and what it touches, with proven names and expected values."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from support.chain import Chain, address
from support.example_stages import placed
from support.life import PRICE, VIN, accept, acknowledge, handover, initiate, offer, terms
from support.selling import ordered, pay, with_credit
from support.specimens import specimen
from support.stages import at
from support.vector_sale import DEPOSIT, FEE, financed
from support.vector_story import play

from node.crypto.addresses import from_text, to_text
from node.errors import InvalidProof, Malformed
from node.ledger.body import type_of
from node.ledger.fields import Money, Odometer
from node.ledger.json_form import time_to_text, to_json
from node.ledger.kinds import fields_of
from node.rpc.moments import moment_of
from node.txtypes.chain.actions import ParameterSet
from node.txtypes.chain.governance import PROPOSAL, GovernancePropose, GovernanceVote
from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.envelope import Payload, decode_signed_tx
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.mandate import SaleTerms
from node.txtypes.payment.giving_back import PaymentRefund
from node.txtypes.registry import TYPES
from node.txtypes.sale.deal import Finance, Terms
from node.txtypes.sale.ending import OrderCancel
from node.txtypes.sale.negotiation import OrderAccept, OrderCounter
from node.txtypes.vehicle.vehicle import VEHICLE
from wallet.essences import ESSENCES, asks, reference_of
from wallet.meaning import Meaning, NotExpected, check_expected, meaning
from wallet.values import Names

NAMES = Names(0, lambda text: text if text.startswith("bmw1") else _named(text), lambda _: None)


def _named(text: str) -> str:
    if text != "buyer-1":
        raise Malformed(f"{text!r} is neither an address nor a name")
    return to_text(address(text))


def shown(chain: Chain, sender: str, body, own: dict[bytes, str] | None = None) -> Meaning:
    moment = moment_of(chain.store)
    return meaning(Payload(address(sender), 1, chain.now, body), moment, moment.as_of, own or {})


def shown_names(body) -> set[str]:
    """The facts that a body is shown as: its fields, and the terms of a deal one by one."""
    found: set[str] = set()
    for field in fields_of(type(body)):
        is_deal = isinstance(getattr(body, field.name), Terms)
        found |= {part.json_name for part in fields_of(Terms)} if is_deal else {field.json_name}
    return found


def transactions() -> Iterator[tuple[Chain, Payload]]:
    """Every transaction of the story over its end, and every type that it lacks at a place of its own."""
    chain, seen = play().chain, set()
    for height in range(1, chain.store.height() + 1):
        for raw in chain.store.block(height).transactions:
            payload = decode_signed_tx(raw, chain.genesis_hash).payload
            seen.add(type_of(payload.body))
            yield chain, payload
    for tag in set(TYPES) - seen:
        life, body = placed(tag)
        yield life.chain, Payload(address(TYPES[tag].EXAMPLE.sender), 1, life.chain.now, body)


def test_every_type_shows_its_whole_body_and_everything_that_it_names() -> None:
    for chain, payload in transactions():
        moment = moment_of(chain.store)
        body, written = payload.body, to_json(payload.body)
        found = meaning(payload, moment, moment.as_of, {})
        assert shown_names(body) <= set(found.facts), type_of(body)
        for name in (n for n, value in written.items() if value and reference_of(body, n)):
            assert any(fact.is_proven for fact in found.facts.values()), (type_of(body), name)
        essential = found.essential(is_body_known=False)
        assert essential[0] == "type" and set(essential) <= set(found.facts)
        if type(body) not in ESSENCES:
            assert {n for n, v in written.items() if v not in (None, "", [], {})} <= set(essential), "the whole body"
        alone = meaning(payload, None, None, {})
        assert not any(fact.is_proven for fact in alone.facts.values())
        assert set(alone.essential(is_body_known=False)) >= {"type", "sender"}


def test_an_essence_is_of_a_type_and_its_facts_are_there() -> None:
    assert {kind.__struct_config__.tag for kind in ESSENCES} <= set(TYPES)
    asked = {name for name, kind in TYPES.items() if asks(kind)}
    orders = {
        "offer", "counter", "accept", "acknowledge", "amend", "reinstate", "cancel", "handover", "withdraw", "return",
        "assign_vin", "dispute", "resolve",
    }  # fmt: skip
    assert asked == {f"order.{step}" for step in orders} | {
        "payment.initiate", "payment.refund", "payment.confirm_refund", "claim.release", "listing.build",
        "governance.vote", "mandate.grant",
    }  # fmt: skip


def test_an_acknowledgement_shows_what_the_car_is_like_now() -> None:
    life = at("accepted")
    found = shown(life.chain, "buyer-1", acknowledge(life.chain, life.order))
    vehicle = life.chain.state(VEHICLE, VIN)
    assert (vehicle.verdict, vehicle.material_changes) == tuple(
        found.facts[name].value for name in ("verdict", "material_changes")
    )
    assert ["vin", "price", "seller", "buyer", "verdict", "material_changes"] == found.essential(is_body_known=True)


def test_parties_have_their_proven_names_and_the_names_of_own_keys() -> None:
    life = at("accepted")
    found = shown(life.chain, "dealer-munich", handover(life.chain, life.order), {address("buyer-1"): "dealer-munich"})
    dealer, buyer = (to_text(address(name)) for name in ("dealer-munich", "buyer-1"))
    assert f"{dealer} (dealer-munich)" == found.facts["seller"].text
    assert f"{buyer} (no member, your key dealer-munich)" == found.facts["buyer"].text, "a key's name is no proven name"
    assert f"moves from {dealer} (dealer-munich) to {buyer}" in found.change
    check_expected(found, {"seller": ["dealer-munich"], "odometer": ["160km"]}, NAMES)
    with pytest.raises(Malformed):
        check_expected(found, {"buyer": ["dealer-munich"]}, NAMES)


def test_a_vote_shows_the_action_with_names() -> None:
    chain = at("").chain
    proposal = chain.do("bmw", GovernancePropose(ParameterSet("block_txs_max", 77)))
    found = shown(chain, "dealer-munich", GovernanceVote(proposal, False))
    assert chain.state(PROPOSAL, proposal).action == found.facts["action"].value
    assert found.change.endswith("approve: no.")
    action = {"type": "parameter.set", "name": "block_txs_max", "value": 77}
    check_expected(found, {"action": [json.dumps(action)], "approve": ["false"]}, NAMES)
    check_expected(found, {"action": ["type=parameter.set,name=block_txs_max,value=77"]}, NAMES)
    for other in (action | {"value": 78}, action | {"name": "keys_per_day"}):
        with pytest.raises(NotExpected, match="block_txs_max"):
            check_expected(found, {"action": [json.dumps(other)]}, NAMES)


def test_a_holder_sees_what_becomes_of_its_car() -> None:
    chain = at("handed_over").chain
    found = shown(chain, "insurer-1", specimen("vehicle.total_loss", chain, takes_title=True))
    assert address("buyer-1") == found.facts["holder"].value and found.facts["holder"].is_proven
    assert ["holder"] == found.essential(is_body_known=True)
    insurer = f"{to_text(address('insurer-1'))} (insurer-1)"
    assert f"{VIN} becomes a total loss of category S, for good; the title moves to {insurer}: yes." == found.change
    replaced = shown(chain, "workshop-berlin", specimen("odometer.replace", chain))
    assert "the old one showed" in replaced.change and "the new one shows 0 km (cluster)" in replaced.change


def test_a_mandate_says_who_may_do_what_until_when() -> None:
    chain = at("wholesale").chain
    body = specimen("mandate.grant", chain)
    found = shown(chain, "dealer-munich", body)
    agent, principal = (f"{to_text(address(name))} ({name})" for name in ("workshop-berlin", "dealer-munich"))
    assert found.change.startswith(f"{agent} may act for {principal} until {time_to_text(body.ends_at_ms)}: ")
    assert "present, respond. Cars: WBA8E9G50GNU12345, makers: -;" in found.change


def test_a_car_from_elsewhere_is_not_on_this_chain_yet() -> None:
    chain = at("").chain
    body = specimen("vehicle.import", chain)
    found = shown(chain, "dealer-munich", body)
    assert "none on the chain so far" == found.facts["vehicle"].text
    assert body.holder == found.facts["holder"].value and not found.facts["holder"].is_proven


# --- the sale -----------------------------------------------------------------------------------------------
def test_an_offer_shows_its_terms_one_by_one() -> None:
    """Amounts within terms are minor units; a person reads money, and a program expects it."""
    life = at("listed")
    found = shown(life.chain, "buyer-1", offer(life.chain, life.listing, terms=financed()))
    bank, dealer = (f"{to_text(address(name))} ({name})" for name in ("bank-1", "dealer-munich"))
    provider = f"{to_text(address('payment-provider-1'))} (payment-provider-1)"
    assert [
        "0: trade_in 12000.00 EUR by trade_in, 0 days after the acceptance",
        f"1: deposit 5290.00 EUR by bank_transfer through {provider}, 1 day after the acceptance",
        f"2: finance 35610.00 EUR by finance through {bank}, 14 days after the acceptance",
    ] == found.facts["legs"].text.split("; ")
    assert "standard, 19.0 %, 8446.22 EUR" == found.facts["tax"].text
    assert "REGISTRATION 120.00 EUR" == found.facts["fees"].text
    assert f"lender {bank}, title_to buyer, takes_lien yes" == found.facts["finance"].text
    assert f"taker {dealer}" in found.facts["trade_in"].text and f"taker {dealer}" in found.change
    expected = {"in_money": ["40900.00EUR"], "trade_in_vin": [VIN[:-1] + "6"], "seller": ["dealer-munich"], "text": []}
    check_expected(found, expected | {"text": [financed().text.hex()]}, NAMES)
    assert ["vin", "seller"] == found.essential(is_body_known=True), "who composed the offer knows the rest"


def test_whoever_gets_the_title_is_shown() -> None:
    """A lessor buys the car: the buyer that signs is not the one who gets the title."""
    life = at("listed")
    leased = terms(finance=Finance(address("bank-1"), "lender", False))
    for agreed, receiver in ((leased, "bank-1"), (terms(), "buyer-1")):
        found = shown(life.chain, "buyer-1", offer(life.chain, life.listing, terms=agreed))
        assert address(receiver) == found.facts["title_to"].value
        assert f"the title goes to {to_text(address(receiver))}" in found.change


def test_what_the_seller_keeps_is_said_before() -> None:
    """A consumer pays no fee for leaving a distance contract, whatever the terms say."""
    life = at("offered")
    for contract, kept in (("on_premises", FEE), ("distance", 0)):
        body = OrderCounter(life.order, 0, terms(contract=contract, cancel_fee=FEE), life.chain.now + 1)
        found = shown(life.chain, "dealer-munich", body)
        assert Money(kept, "EUR") == found.facts["kept_if_buyer_leaves"].value
        assert Money(FEE, "EUR") == found.facts["cancel_fee"].value


def test_a_counter_offer_is_shown_beside_the_terms_before_it() -> None:
    life = at("offered")
    higher = Money(PRICE.amount + 50_000, "EUR")
    found = shown(life.chain, "dealer-munich", OrderCounter(life.order, 0, terms(higher), life.chain.now + 1))
    assert (higher, PRICE) == (found.facts["price"].value, found.facts["order_price"].value)
    assert not found.facts["price"].is_proven and found.facts["order_price"].is_proven


def test_an_acceptance_shows_the_whole_deal_from_proven_state() -> None:
    life = at("offered")
    found = shown(life.chain, "dealer-munich", accept(life.chain, life.order))
    essential = ["vin", "price", "seller", "buyer", "title_to", "kept_if_buyer_leaves", "trade_in_vin"]
    assert set(essential) == set(found.essential(is_body_known=True))
    assert "-" == found.facts["trade_in"].text
    check_expected(found, {"trade_in": [""], "trade_in_vin": [""], "finance": [""]}, NAMES)
    with pytest.raises(NotExpected):
        check_expected(found, {"trade_in_vin": [VIN]}, NAMES)


@pytest.mark.parametrize(
    ("reason", "agreed", "kept"), [("changed_mind", 0, 0), ("mutual", 300_000, 300_000), ("seller_default", 0, 0)]
)
def test_a_cancellation_shows_what_is_kept_and_what_is_owed(reason: str, agreed: int, kept: int) -> None:
    life = at("paid")
    sender = "dealer-munich" if reason == "seller_default" else "buyer-1"
    found = shown(life.chain, sender, OrderCancel(life.order, reason, agreed))
    assert Money(kept, "EUR") == found.facts["seller_keeps"].value
    assert Money(PRICE.amount - kept, "EUR") == found.facts["goes_back"].value
    assert {"seller_keeps", "goes_back", "vin", "price"} <= set(found.essential(is_body_known=True))
    assert f"({reason})" in found.change and f"owes {(PRICE.amount - kept) // 100}.00 EUR" in found.change


def test_an_offer_that_is_taken_back_costs_nothing() -> None:
    life = at("listed")
    order = life.chain.do("buyer-1", offer(life.chain, life.listing, terms=terms(cancel_fee=FEE)))
    found = shown(life.chain, "buyer-1", OrderCancel(order, "changed_mind"))
    assert Money(0, "EUR") == found.facts["seller_keeps"].value == found.facts["goes_back"].value


def test_a_handover_shows_what_came_beyond_the_price() -> None:
    life = at("paying")
    chain = life.chain
    more = Money(PRICE.amount + 10_000, "EUR")
    chain.do("payment-provider-1", specimen("payment.attest", chain, {"payment": life.payment}, amount=more))
    found = shown(chain, "dealer-munich", handover(chain, life.order))
    assert Money(10_000, "EUR") == found.facts["goes_back"].value
    assert more == found.facts["settled"].value
    assert "owes 100.00 EUR that came beyond the price" in found.change


def test_what_a_lender_has_paid_does_not_go_back_with_the_handover() -> None:
    life = ordered(with_credit(1_000_000))
    pay(life)
    found = shown(life.chain, "dealer-munich", handover(life.chain, life.order, 200))
    assert Money(0, "EUR") == found.facts["goes_back"].value


def test_a_payment_shows_through_whom_it_goes() -> None:
    life = at("accepted")
    found = shown(life.chain, "buyer-1", initiate(life.order, Money(DEPOSIT, "EUR")))
    assert address("payment-provider-1") == found.facts["provider"].value and found.facts["provider"].is_proven
    assert ["vin", "seller", "provider", "rail"] == found.essential(is_body_known=True)
    assert "pays 5290.00 EUR to" in found.change and "by bank_transfer" in found.change
    with pytest.raises(InvalidProof, match="no part 3 that is paid in money"):
        shown(life.chain, "buyer-1", initiate(life.order, Money(DEPOSIT, "EUR"), leg=3))


def test_a_refund_shows_who_gets_the_money() -> None:
    life = at("paid")
    found = shown(life.chain, "dealer-munich", PaymentRefund(life.payment, Money(DEPOSIT, "EUR")))
    assert address("buyer-1") == found.facts["creditor"].value
    assert {"vin", "provider", "creditor"} == set(found.essential(is_body_known=True))
    assert f"give 5290.00 EUR of this payment back to {to_text(address('buyer-1'))}" in found.change


def test_a_mandate_to_sell_says_for_how_much() -> None:
    chain = at("wholesale").chain
    sale = SaleTerms(PRICE, (AcceptedRail("card", (address("bank-1"),)),), 500_000, 30, 25_000, False)
    found = shown(chain, "dealer-munich", specimen("mandate.grant", chain, rights=("list",), sale=sale))
    assert "52900.00 EUR or more" in found.change and "cars in payment to 5000.00 EUR" in found.change
    assert "3.0 % of the price and 250.00 EUR" in found.change
    assert "sells for" not in shown(chain, "dealer-munich", specimen("mandate.grant", chain)).change


def placed_and_shown(tag: str, **changes) -> Meaning:
    """The type's example at a place where it is valid, with some fields changed."""
    life, body = placed(tag)
    return shown(life.chain, TYPES[tag].EXAMPLE.sender, replace(body, **changes))


def test_a_withdrawal_says_what_is_to_come_back_and_by_when() -> None:
    found = placed_and_shown("order.withdraw")
    assert PRICE == found.facts["goes_back"].value and found.facts["goes_back"].is_proven
    assert "within 21 days" in found.change and "owes 52900.00 EUR, less" in found.change
    assert {"vin", "price", "seller", "buyer", "goes_back"} == set(found.essential(is_body_known=True))


def test_a_return_shows_both_titles_and_both_sums() -> None:
    """The deduction of the body is minor units; a person reads money, and what is left of the price is owed."""
    found = placed_and_shown("order.return", deduction=26_450)
    assert (Money(26_450, "EUR"), Money(PRICE.amount - 26_450, "EUR")) == tuple(
        found.facts[name].value for name in ("deducted", "goes_back")
    )
    assert "keeps 264.50 EUR of the price, and owes 52635.50 EUR" in found.change
    assert f"from {to_text(address('buyer-1'))}" in found.change and "170 km" in found.change
    assert Money(0, "EUR") == found.facts["trade_in_owed"].value and "The car in payment" not in found.change


def test_the_car_that_was_built_is_shown_beside_none() -> None:
    found = placed_and_shown("order.assign_vin")
    assert (VIN, "") == (found.facts["vin"].value, found.facts["order_vin"].value)
    assert not found.facts["vin"].is_proven and "330I" == found.facts["model"].value


def test_cars_to_be_built_show_what_equipment_costs_and_whose_they_are() -> None:
    found = placed_and_shown("listing.build", offer_floor=5_000_000)
    assert "S205A 2200.00 EUR" == found.facts["equipment"].text
    assert address("bmw") == found.facts["seller"].value
    assert "100 cars" in found.change and "No offer below 50000.00 EUR" in found.change


def test_a_dispute_about_an_order_shows_the_sale_not_a_record() -> None:
    """Its id is in the field `dispute`, as that of a dispute about a record is."""
    opened = placed_and_shown("order.dispute")
    assert PRICE == opened.facts["asks_for"].value and not opened.facts["asks_for"].is_proven
    for tag in ("order.respond", "order.resolve", "order.close"):
        found = placed_and_shown(tag)
        assert (address("buyer-1"), VIN, PRICE) == tuple(found.facts[n].value for n in ("opener", "vin", "asks_for"))
        assert all(found.facts[name].is_proven for name in ("opener", "vin", "asks_for"))
    vote = placed_and_shown("order.resolve", decision=Decision("unwind", 12_345, ""))
    assert Money(12_345, "EUR") == vote.facts["decided"].value and "The amount is 123.45 EUR" in vote.change


def test_what_is_left_of_a_claim_is_said() -> None:
    found = placed_and_shown("claim.release", amount=Money(PRICE.amount - 1, "EUR"))
    assert Money(1, "EUR") == found.facts["remains"].value and found.facts["remains"].is_proven
    assert "0.01 EUR remains" in found.change
    assert Money(0, "EUR") == placed_and_shown("claim.release").facts["remains"].value


def test_whoever_confirms_a_refund_is_shown_who_owes_it_no_more() -> None:
    found = placed_and_shown("payment.confirm_refund")
    assert address("buyer-1") == found.facts["creditor"].value
    assert f"{to_text(address('dealer-munich'))} (dealer-munich) owes it no more" in found.change


@pytest.mark.parametrize("body", [OrderAccept(b"\x07" * 32, 0, b"\0" * 32), GovernanceVote(b"\x07" * 32, True)])
def test_what_is_not_there_is_not_signed(body) -> None:
    with pytest.raises(InvalidProof, match=f"there is no .* {'07' * 32}"):
        shown(at("").chain, "buyer-1", body)


@pytest.mark.parametrize(
    ("name", "given", "is_it"),
    [
        ("price", ["52900.00EUR"], True),
        ("price", ['{"amount": "5290000", "currency": "EUR"}'], True),
        ("price", ["52900.01EUR"], False),
        ("price", ["52900.00USD"], False),
        ("price", ["52900.00EUR", "52900.00EUR"], False),
        ("odometer", ["160km"], True),
        ("odometer", ["160mi"], False),
        ("odometer", ["160km:visual"], False),
        ("buyer", ["buyer-1"], True),
        ("seller", ["buyer-1"], False),
        ("seller", ["dealer"], False),
        ("flags", ["[]"], True),
        ("vin", [VIN], True),
        ("type", ["order.handover"], True),
    ],
)
def test_expected_values_are_compared_as_values(name: str, given: list[str], is_it: bool) -> None:
    life = at("accepted")
    found = shown(life.chain, "dealer-munich", handover(life.chain, life.order))
    assert Odometer(160, "km", "cluster") == found.facts["odometer"].value
    if is_it:
        check_expected(found, {name: given}, NAMES)
    else:
        with pytest.raises(NotExpected, match="nothing was signed"):
            check_expected(found, {name: given}, NAMES)


def test_an_address_is_compared_not_its_text() -> None:
    life = at("accepted")
    found = shown(life.chain, "dealer-munich", accept(life.chain, life.order))
    seller = found.facts["seller"]
    assert from_text(seller.text.partition(" ")[0]) == seller.value == address("dealer-munich")
