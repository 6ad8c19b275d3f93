"""Listings, disclosures, orders and their lists over HTTP."""

from __future__ import annotations

from support.backend import SingleNode, serving
from support.chain import DAY_MS, Chain, address
from support.http import get, over_http
from support.life import VIN, Life, listing, register, transfer
from support.specimens import specimen

from node.crypto.addresses import to_text
from node.txtypes.sale.disclosure import disclosure_root
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.listing_types import ListingUpdate
from node.txtypes.vehicle.vehicle import VEHICLE

VIN_2, VIN_3 = "WBA8E9G50GNU12346", "WBA8E9G50GNU12347"


def a_life(stage: str = "handed_over") -> Life:
    return Life(Chain()).to(stage)


@over_http
async def test_open_listings_by_every_filter() -> None:
    life = a_life("wholesale")
    chain = life.chain
    for vin, model in ((VIN_2, "X5"), (VIN_3, "X5")):
        chain.do("bmw", register(vin, model=model))
        chain.do("bmw", transfer(chain, vin=vin), "dealer-munich")
    idents = {vin: chain.do("dealer-munich", listing(chain, vin)).hex() for vin in (VIN, VIN_2, VIN_3)}
    async with serving(SingleNode(chain)) as (node, _, http):

        async def vins(query: str) -> set[str]:
            return {item["vin"] for item in (await get(http, "/v1/listings" + query))["listings"]}

        assert {VIN, VIN_2, VIN_3} == await vins("")
        assert {VIN_2, VIN_3} == await vins("?model=X5")
        assert {VIN, VIN_2, VIN_3} == await vins("?country=DE")
        assert set() == await vins("?country=CN")
        assert {VIN, VIN_2, VIN_3} == await vins(f"?seller={to_text(address('dealer-munich'))}")
        assert set() == await vins(f"?seller={to_text(address('bmw'))}")
        assert {VIN_2} == await vins(f"?vin={VIN_2}")
        assert set() == await vins(f"?vin={VIN_2}&country=CN")
        assert set() == await vins("?vin=WBA8E9G50GNU99999")

        found, path = [], "/v1/listings?limit=1"
        while path:
            page = await get(http, path)
            found += [item["id"] for item in page["listings"]]
            path = f"/v1/listings?limit=1&cursor={page['cursor']}" if page["cursor"] else ""
        assert list(idents.values()) == found  # the first to expire first

        node.chain.now += 31 * DAY_MS
        node.produce()
        assert set() == await vins("") == await vins(f"?vin={VIN}")
        assert "expired" == (await get(http, f"/v1/listings/{idents[VIN]}"))["status"]


@over_http
async def test_the_disclosure_is_what_an_offer_has_to_name() -> None:
    life = a_life("listed")
    async with serving(SingleNode(life.chain)) as (node, _, http):
        shown = await get(http, f"/v1/listings/{life.listing.hex()}/disclosure")
        found = node.chain.state(LISTING, life.listing)
        assert disclosure_root(life.listing, found, node.chain.state(VEHICLE, VIN)).hex() == shown["disclosure_root"]
        assert (3, 1) == (shown["height"], shown["listing_version"])
        assert {"amount": "5290000", "currency": "EUR"} == shown["price"]


@over_http
async def test_orders_with_payments_accounts_and_their_lists() -> None:
    life = a_life()
    async with serving(SingleNode(life.chain)) as (_, _, http):
        order = await get(http, f"/v1/orders/{life.order.hex()}")
        assert ("completed", True, "5290000") == (order["status"], order["is_paid"], order["settled"]["amount"])
        (payment,) = order["payments"]
        assert (life.payment.hex(), "final", 5_290_000) == (payment["id"], payment["status"], payment["final"])
        assert ([], "5290000") == (order["debts"], order["final"]["amount"])
        assert [(5_290_000, 5_290_000)] == [(leg["net"], leg["final"]) for leg in order["legs"]]
        alone = await get(http, f"/v1/payments/{life.payment.hex()}")
        assert payment == {name: alone[name] for name in payment}
        assert [("settled", 5_290_000)] == [(step["kind"], step["amount"]) for step in alone["steps"]]

        buyer, dealer = (to_text(address(name)) for name in ("buyer-1", "dealer-munich"))
        assert [VIN] == [v["vin"] for v in (await get(http, f"/v1/accounts/{buyer}/vehicles"))["vehicles"]]
        assert [] == (await get(http, f"/v1/accounts/{dealer}/vehicles"))["vehicles"]
        for party in (buyer, dealer):
            orders = (await get(http, f"/v1/accounts/{party}/orders"))["orders"]
            assert [life.order.hex()] == [entry["id"] for entry in orders]
        shown = await get(http, f"/v1/accounts/{dealer}")
        assert (["dealer"], "dealer-munich") == (shown["member"]["roles"], shown["member"]["name"])
        assert (await get(http, f"/v1/accounts/{buyer}"))["member"] is None


@over_http
async def test_the_deliveries_of_an_order_are_read_in_their_order() -> None:
    """Also beyond the tenth, whose id sorts before the second's."""
    life = a_life("accepted")
    order, chain = life.order.hex(), life.chain
    for _ in range(11):
        chain.do("dealer-munich", specimen("delivery.schedule", chain, {"order": life.order}))
    chain.do("carrier-1", specimen("delivery.event", chain, {"order": life.order}, site="MUC-1"))
    async with serving(SingleNode(chain)) as (_, _, http):
        shown = await get(http, f"/v1/orders/{order}/deliveries")
        assert (order, VIN, "picked_up") == (shown["order"], shown["vin"], shown["stage"])
        assert list(range(12)) == [entry["number"] for entry in shown["deliveries"]]
        assert 11 * ["scheduled"] + ["picked_up"] == [entry["stage"] for entry in shown["deliveries"]]
        assert "MUC-1" == shown["deliveries"][-1]["site"] and shown["deliveries"][0]["window_to"]
        for path, status in ((f"/v1/orders/{'ab' * 32}/deliveries", 404), ("/v1/orders/x/deliveries", 400),
                             ("/v1/proposals?status=waiting", 400), ("/v1/proposals?status=open", 200)):  # fmt: skip
            async with http.get(path) as answer:
                assert status == answer.status, path


@over_http
async def test_an_offer_on_an_old_version_of_a_listing_has_fallen() -> None:
    life = a_life("offered")
    async with serving(SingleNode(life.chain)) as (node, _, http):
        assert "offered" == (await get(http, f"/v1/orders/{life.order.hex()}"))["status"]
        found = node.chain.state(LISTING, life.listing)
        update = ListingUpdate(
            life.listing, found.price, found.tax, found.rails, found.contracts, found.expires_at_ms
        )  # fmt: skip
        node.produce(node.chain.sign("dealer-munich", update))
        assert "fallen" == (await get(http, f"/v1/orders/{life.order.hex()}"))["status"]
        assert 2 == (await get(http, f"/v1/listings/{life.listing.hex()}"))["version"]
