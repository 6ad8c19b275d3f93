"""Guards of rails: what a listing accepts, which rails the law of a country leaves, and who may provide them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import address
from support.life import VIN, Life, changed, listing, offer
from support.selling import BANK, BUYER, PROVIDER, SELLER, codes_of, leg, ordered, terms
from support.specimens import specimen
from support.stages import Case, at, change, table

from node.ledger.fields import Money
from node.rules.rail_policy import FORBIDDEN_RAILS
from node.rules.rails import RAIL_RULES, RAILS, UNPROVEN_RAILS
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.member import MEMBER, Grant
from node.txtypes.sale.listing import LISTING
from node.txtypes.vehicle.regions import Registration
from node.txtypes.vehicle.vehicle import VEHICLE


def rail(name: str = "bank_transfer", *providers: str, **changes) -> AcceptedRail:
    fitting = "bank-1" if name == "finance" else PROVIDER
    names = () if name == "trade_in" else providers or (fitting,)
    return AcceptedRail(name, tuple(map(address, names)), **changes)


def taking(*rails: AcceptedRail, **changes):
    return lambda life: listing(life.chain, rails=rails, **changes)


def no_role(life: Life) -> None:
    change(life.chain, MEMBER, address(PROVIDER), changes=changed("suspended", "other"))


def only_for(country: str):
    """The provider's grant is for one country."""
    grant = Grant("payment_provider", (), country, (), 0, 0, ())
    return lambda life: change(life.chain, MEMBER, address(PROVIDER), grants=(grant,))


@table(
    Case("a rail that the bank provides too", "wholesale", SELLER, taking(rail("card", BANK, PROVIDER))),
    Case("a credit of a bank", "wholesale", SELLER, taking(rail("finance", BANK))),
    Case("a credit of no bank", "wholesale", SELLER, taking(rail("finance", PROVIDER)), ("provider_unaccredited",)),
    Case("a provider of another trade", "wholesale", SELLER, taking(rail("card", "workshop-berlin")),
         ("provider_unaccredited",)),
    Case("two providers of other trades", "wholesale", SELLER,
         taking(rail("card", BANK, BUYER), rail("finance", "bmw")), ("provider_unaccredited",) * 2),
    Case("a provider that has lost its role", "wholesale", SELLER, taking(rail()), ("provider_unaccredited",),
         before=no_role),
    Case("a provider for another country", "wholesale", SELLER, taking(rail()), ("role_scope",),
         before=only_for("FR")),
    Case("a provider for this country", "wholesale", SELLER, taking(rail()), before=only_for("DE")),
    Case("money without a provider", "wholesale", SELLER, taking(AcceptedRail("card", ())), ("providers_missing",)),
    Case("a car in payment with a provider", "wholesale", SELLER,
         taking(rail(), AcceptedRail("trade_in", (address(PROVIDER),))), ("providers_missing",)),
    Case("a rail that is not in the table", "wholesale", SELLER, taking(rail("cash")), ("code_unknown",)),
    Case("coins", "wholesale", SELLER, taking(rail("bitcoin")), ("rail_not_yet",)),
    Case("coins where they are forbidden", "wholesale", SELLER, taking(rail("ether"), country="CN"),
         ("rail_not_yet", "rail_forbidden")),
    Case("an instant transfer of dollars", "wholesale", SELLER,
         taking(rail("instant_transfer"), price=Money(1, "USD")), ("rail_currency",)),
    Case("an instant transfer of euros", "wholesale", SELLER, taking(rail("instant_transfer"))),
)  # fmt: skip
def test_rails_of_a_listing(case: Case) -> None:
    assert case.codes == case.run()


def update(life: Life, **changes):
    return specimen("listing.update", life.chain, **dict(listing=life.listing) | changes)


@pytest.mark.parametrize("country", ["DE", *FORBIDDEN_RAILS])
@pytest.mark.parametrize("name", RAILS)
def test_a_forbidden_rail_is_never_listed_nor_offered_on(country: str, name: str) -> None:
    expected = ["rail_not_yet"] if name in UNPROVEN_RAILS else []
    expected += ["rail_forbidden"] if name in FORBIDDEN_RAILS.get(country, ()) else []
    life = at("wholesale")
    assert expected == codes_of(life, SELLER, listing(life.chain, country=country, rails=(rail(name),)))
    life = at("listed")
    change(life.chain, LISTING, life.listing, country=country)
    assert expected == codes_of(life, SELLER, update(life, rails=(rail(name),)))
    if name in UNPROVEN_RAILS:
        change(life.chain, LISTING, life.listing, rails=(rail(name),))
        agreed = terms(leg(5_290_000, name))
        assert expected == codes_of(life, BUYER, offer(life.chain, life.listing, terms=agreed))


@pytest.mark.parametrize("whose", ["seller", "provider", "registration"])
def test_every_country_of_a_deal_counts(whose: str) -> None:
    """A dealer in a country that forbids a rail cannot take it by writing another country into the listing."""
    life = at("wholesale")
    body = listing(life.chain, rails=(rail("bitcoin"),))
    assert ["rail_not_yet"] == codes_of(life, SELLER, body)
    if whose == "registration":
        change(life.chain, VEHICLE, VIN, registration=Registration(
            "registered", "CN", bytes(32), "normal", "private", 1, 0, "", 0, "", False, None, (), None))  # fmt: skip
    else:
        change(life.chain, MEMBER, address(SELLER if whose == "seller" else PROVIDER), country="CN")
    assert ["rail_not_yet", "rail_forbidden"] == codes_of(life, SELLER, body)


def test_what_the_law_and_the_roles_allow_is_asked_again_at_every_step() -> None:
    accepted = at("accepted")
    no_role(accepted)
    payment = specimen("payment.initiate", accepted.chain, {"order": accepted.order})
    assert ["provider_unaccredited"] == codes_of(accepted, BUYER, payment)
    offered = at("offered")
    no_role(offered)
    accept = specimen("order.accept", offered.chain, {"order": offered.order})
    assert ["provider_unaccredited"] == codes_of(offered, SELLER, accept, BUYER)
    assert ["provider_unaccredited"] == codes_of(offered, BUYER, offer(offered.chain, offered.listing))


def test_an_instant_transfer_is_offered_in_euros_only() -> None:
    life = ordered(None, "offered", rails=(rail("instant_transfer"), rail()))
    agreed = terms(leg(5_290_000, "instant_transfer"))
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing, terms=agreed))
    change(life.chain, LISTING, life.listing, price=Money(5_290_000, "USD"))
    body = offer(life.chain, life.listing, terms=replace(agreed, price=Money(5_290_000, "USD")))
    assert ["rail_currency"] == codes_of(life, BUYER, body)


def test_the_rules_of_the_rails_fit_together() -> None:
    assert set(RAILS) == set(RAIL_RULES)
    for name, rule in RAIL_RULES.items():
        pays = name not in UNPROVEN_RAILS and name != "trade_in"
        assert pays == bool(rule.attested) == bool(rule.schemes)
        assert not pays or {"settled", "failed", "refunded"} <= rule.attested
