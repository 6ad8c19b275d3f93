"""Requests that nobody foresaw, to every page and to the nodes' interface behind them: none is answered by a fault.

`scripts/pages_bench fuzz` and `schema` do the same for as long as one likes.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browsing import Served, serving_pages
from support.market import MarketNode, genesis_file, known_in, market_chain, market_node, put_on_sale
from support.page_queries import fuzz
from support.processes import wait_for
from support.promised import promised
from support.raw_http import crowd, said_with_patience, shower

pytestmark = pytest.mark.network
CONNECTIONS = 40


@pytest.fixture(scope="module")
def market() -> Iterator[MarketNode]:
    chain = market_chain()
    put_on_sale(chain, range(60))
    with market_node(chain) as node:
        yield node


@pytest.fixture(scope="module")
def served(market: MarketNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("fuzz")
    with serving_pages(
        folder / "home", genesis_file(market.chain, folder), [market.url], tier="open",
        node_requests_per_second=100_000, connections_max=CONNECTIONS,
    ) as pages:  # fmt: skip
        wait_for(lambda: b"60 cars" in urllib.request.urlopen(pages.url + "/en/cars").read(), what="the rows")
        yield pages


def test_no_query_is_too_much_for_a_page(market: MarketNode, served: Served) -> None:
    found = fuzz(served.url, 800, 7, known_in(market.chain))
    assert {200, 400, 404} <= set(found) <= {200, 301, 303, 400, 404}
    assert min(found[200], found[400]) > 100


def test_no_request_is_too_strange(served: Served) -> None:
    found = shower(served.url, 500, 7)
    assert {200, 400, 404, 405} <= set(found), found


def test_a_crowd_is_turned_away_beyond_the_limit_of_connections(served: Served) -> None:
    found = crowd(served.url, 2 * CONNECTIONS)
    assert CONNECTIONS - 3 <= found["nothing"] <= CONNECTIONS, found
    assert found["nothing"] + found["429"] + found["closed"] == 2 * CONNECTIONS
    wait_for(lambda: said_with_patience(served.url) == 200, what="room for the next one")


def test_what_openapi_promises_is_read_through_the_pages(market: MarketNode, served: Served) -> None:
    with urllib.request.urlopen(market.url + "/openapi.json") as answer:
        document = json.load(answer)
    found = promised(served.url, document, 6, start=7)
    assert {200, 400, 404} <= set(found), found


def test_the_log_has_no_failure(served: Served) -> None:
    assert "page_failed" not in Path(served.log).read_text()
