"""What strangers read in the tier `showroom`: of cars that are for sale what proves them, of others nothing."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import NamedTuple
from urllib.error import HTTPError

import pytest
from support.browsing import Served, serving_pages
from support.market import MarketNode, genesis_file, market_chain, market_node, put_on_sale, vin_of, withdraw
from support.processes import wait_for

from node.txtypes.vehicle.vehicle import VEHICLE

pytestmark = pytest.mark.network
SOLD, ABSENT = vin_of(1), vin_of(999)


class Showing(NamedTuple):
    """A market of three cars, of which the second is taken off. `listings`: of all three."""

    market: MarketNode
    served: Served
    listings: list[str]


@pytest.fixture(scope="module")
def showing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Showing]:
    folder, chain = tmp_path_factory.mktemp("strangers"), market_chain()
    put_on_sale(chain, range(3))
    listings = [chain.state(VEHICLE, vin_of(number)).market.listing.hex() for number in range(3)]
    withdraw(chain, [1])
    with (
        market_node(chain) as market,
        serving_pages(folder / "home", genesis_file(chain, folder), [market.url]) as served,
    ):
        yield Showing(market, served, listings)


def asked(served: Served, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(served.url + path) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def status_of(served: Served, path: str) -> int:
    return asked(served, path)[0]


def of_car(vin: str, listing: str) -> list[str]:
    return [
        f"/v1/vehicles/{vin}", f"/v1/vehicles/{vin}/report", f"/v1/vehicles/{vin}/odometer",
        f"/v1/vehicles/{vin}/recalls", f"/v1/vehicles/{vin}/sale-readiness", f"/v1/vehicles/{vin}/certificate",
        f"/v1/vehicles/{vin}/certificate?redact=all&members=true", f"/v1/state/vehicle%2F{vin}?proof=true",
        f"/v1/state/vehicle/{vin}", f"/v1/listings/{listing}/disclosure", f"/en/car/{vin}", f"/en/verify/{vin}",
        f"/de/car/{vin}/sale", f"/en/car/{vin}/certificate.bmwc",
    ]  # fmt: skip


def test_a_car_that_is_for_sale_is_proven_and_another_is_not_shown(showing: Showing) -> None:
    served = showing.served
    for path in of_car(vin_of(0), showing.listings[0]):
        assert 200 == status_of(served, path), path
    for path in of_car(SOLD, showing.listings[1]):
        status, body = asked(served, path)
        assert 403 == status, path
        if path.startswith("/v1"):
            assert "not_in_tier" == json.loads(body)["code"]
        else:
            assert b"data-record" not in body, path


def test_that_a_car_is_not_on_the_chain_is_proven_to_anybody(showing: Showing) -> None:
    served = showing.served
    assert 200 == status_of(served, f"/v1/absence/{ABSENT}")
    assert 200 == status_of(served, f"/v1/state/vehicle%2F{ABSENT}?proof=true")
    assert 404 == status_of(served, f"/v1/vehicles/{ABSENT}/report")
    assert 404 == status_of(served, f"/en/verify/{ABSENT}")
    assert 409 == status_of(served, f"/v1/absence/{SOLD}"), "not more than the page of the car says"


def test_what_a_light_client_follows_is_for_all(showing: Showing) -> None:
    head = json.loads(asked(showing.served, "/v1/status")[1])["head"]["height"]
    for path in (
        f"/v1/headers/{head}", f"/v1/validators?height={head}", "/v1/validators", "/v1/genesis", "/v1/members?limit=3",
        "/v1/sites?near=48.1,11.5", "/v1/recalls", f"/v1/listings?vin={vin_of(0)}",
        f"/v1/listings/{showing.listings[1]}",
        f"/v1/state/listing%2F{showing.listings[0]}?proof=true", "/v1/state/frauds%2Fall?proof=true",
    ):  # fmt: skip
        assert 200 == status_of(showing.served, path), path


def test_nothing_else_is_for_strangers(showing: Showing) -> None:
    vin, listing = vin_of(0), showing.listings[0]
    for path in (
        f"/v1/vehicles/{vin}?height=3", f"/v1/state/vehicle%2F{vin}?proof=true&height=3", f"/v1/vehicles/{vin}/history",
        f"/v1/vehicles/{vin}/sale-readiness?order={'0' * 64}", f"/v1/vehicles/{vin}/transactions", "/v1/vehicles",
        "/v1/blocks", "/v1/blocks/1", "/v1/orders", "/v1/accounts", "/v1/alerts", "/v1/stream", "/v1/peers",
        f"/v1/state?keys=vehicle/{SOLD}", f"/v1/state/vehicle%2F{vin},vehicle%2F{SOLD}", "/v1/state/account%2Fx",
        f"/v1/vehicles/{vin}?height=&x=1", f"/v1/transactions/{listing}", "/metrics/../v1/orders",
    ):  # fmt: skip
        status, body = asked(showing.served, path)
        assert 403 == status or (status == 404 and b"empty-code" in body), path


def test_a_car_that_is_taken_off_the_market_is_shown_no_longer(showing: Showing) -> None:
    path = f"/v1/vehicles/{vin_of(2)}/certificate"
    assert 200 == status_of(showing.served, path)
    showing.market.do(lambda chain: withdraw(chain, [2]))
    wait_for(lambda: status_of(showing.served, path) == 403, what="the certificate to be withheld")
    assert 403 == status_of(showing.served, f"/en/car/{vin_of(2)}")
