"""Dead end: a buyer pays its claim through the first fit provider only, also if that one may not serve this country."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import address
from support.disputing import granted
from support.life import accept, initiate, listing, offer
from support.selling import BANK, BUYER, PROVIDER, SELLER, claims, codes_of, euro, hand_over, pay, tell
from support.stages import at, change

from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.member import MEMBER


def test_a_claim_is_paid_through_whichever_provider_may_serve_it() -> None:
    life = at("wholesale")
    granted(life, BANK, "payment_provider")
    rails = (AcceptedRail("bank_transfer", (address(PROVIDER), address(BANK))),)
    life.listing = life.chain.do(SELLER, listing(life.chain, rails=rails))
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing))
    life.chain.do(SELLER, accept(life.chain, life.order), BUYER)
    pay(life)
    hand_over(life)
    tell(life, "returned", 70)
    assert [(BUYER, SELLER, 70, "price")] == claims(life)
    member = life.chain.state(MEMBER, address(PROVIDER))
    abroad = tuple(replace(grant, country="FR") for grant in member.grants)
    change(life.chain, MEMBER, address(PROVIDER), grants=abroad)
    assert [] == codes_of(life, BUYER, initiate(life.order, euro(70), leg=255))
