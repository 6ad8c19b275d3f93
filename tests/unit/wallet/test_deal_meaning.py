"""What a deal means before it is signed: what its agent earns, the tax in the price, how it is paid, who lends."""

from __future__ import annotations

from support.chain import Chain, address
from support.life import accept, offer, terms
from support.selling import ordered, through_agent, with_credit
from support.stages import at

from node.crypto.addresses import to_text
from node.ledger.fields import Money
from node.rpc.moments import moment_of
from node.txtypes.envelope import Payload
from node.txtypes.registry import TYPES
from node.txtypes.sale.negotiation import OrderCounter
from wallet.essences import asks, is_of_deal
from wallet.meaning import Meaning, meaning


def shown(chain: Chain, sender: str, body) -> Meaning:
    moment = moment_of(chain.store)
    return meaning(Payload(address(sender), 1, chain.now, body), moment, moment.as_of, {})


def test_an_agents_commission_is_shown_before_an_offer_and_before_the_acceptance() -> None:
    """Three per cent of 52,900 EUR, by the mandate: from proven state, with the agent's proven name."""
    listed, offered = through_agent("listed"), through_agent("offered")
    agent = f"{to_text(address('dealer-shanghai'))} (dealer-shanghai)"
    seller = f"{to_text(address('dealer-munich'))} (dealer-munich)"
    for found in (
        shown(listed.chain, "buyer-1", offer(listed.chain, listed.listing)),
        shown(offered.chain, "dealer-shanghai", accept(offered.chain, offered.order)),
    ):
        assert Money(158_700, "EUR") == found.facts["commission"].value and found.facts["commission"].is_proven
        assert f"{agent} acts for {seller}, and earns 1587.00 EUR of the price." in found.change
    countered = OrderCounter(offered.order, 0, terms(Money(5_000_001, "EUR")), offered.chain.now + 1)
    assert Money(150_000, "EUR") == shown(offered.chain, "dealer-shanghai", countered).facts["commission"].value


def test_without_an_agent_nobody_earns_a_commission() -> None:
    life = at("offered")
    found = shown(life.chain, "dealer-munich", accept(life.chain, life.order))
    assert found.facts["commission"].value is None and "acts for" not in found.change


def test_tax_parts_and_credit_are_told_in_words() -> None:
    life = ordered(with_credit(), "offered")
    found = shown(life.chain, "dealer-munich", accept(life.chain, life.order))
    assert "Tax in the price: standard, 19.0 %, 8446.22 EUR." in found.change
    bank = f"{to_text(address('bank-1'))} (bank-1)"
    assert f"1: finance 40000.00 EUR by finance through {bank}, 7 days after the acceptance." in found.change
    assert f"The credit: lender {bank}, title_to buyer, takes_lien no." in found.change


def test_what_is_of_a_deal_is_shown_also_where_nobody_is_asked() -> None:
    shown_only = {name for name, kind in TYPES.items() if is_of_deal(kind) and not asks(kind)}
    assert shown_only == {
        "listing.update", "listing.withdraw", "order.reject", "order.claim_refund", "order.respond", "order.close",
        "payment.declare", "payment.attest", "payment.reassign", "delivery.schedule", "delivery.confirm",
        "delivery.event", "delivery.refuse", "case.open", "case.confirm", "case.reply", "case.close",
    }  # fmt: skip
