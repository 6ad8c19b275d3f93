"""What an overload of the pages lets through to the nodes: counted there, not here."""

from __future__ import annotations

import http.client
import json
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest
from support.browsing import Served, serving_pages
from support.market import MarketNode, genesis_file, market_chain, market_node, put_on_sale, vin_of
from support.processes import wait_for
from support.prometheus import prometheus

from web.share import BURST_S

pytestmark = pytest.mark.network
PER_S, AT_ONCE, REQUESTS = 20, 6, 400


@pytest.fixture(scope="module")
def market() -> Iterator[MarketNode]:
    chain = market_chain()
    put_on_sale(chain, range(12))
    with market_node(chain) as node:
        yield node


@pytest.fixture
def served(market: MarketNode, tmp_path: Path) -> Iterator[Served]:
    with serving_pages(
        tmp_path / "home", genesis_file(market.chain, tmp_path), [market.url], tier="open",
        node_requests_per_second=PER_S, node_requests_max=AT_ONCE,
    ) as pages:  # fmt: skip
        wait_for(lambda: status_of(pages, "/health/ready") == 200, what="the rows")
        yield pages


def asked(served: Served, path: str) -> tuple[int, str]:
    """Status, and after how many seconds one should ask again."""
    try:
        with urllib.request.urlopen(served.url + path) as answer:
            return answer.status, ""
    except HTTPError as error:
        with error:
            return error.code, error.headers.get("Retry-After", "")


def status_of(served: Served, path: str) -> int:
    return asked(served, path)[0]


def at_node(market: MarketNode) -> int:
    """Requests that the node has answered, but for those about its status, which the process of the pages makes on its
    own account."""
    with urllib.request.urlopen(market.url + "/metrics") as answer:
        samples = prometheus(answer.read().decode())
    return sum(int(value) for (name, labels), value in samples.items()
               if name == "bmw_rpc_requests_total" and '"/v1/' in labels and "/v1/status" not in labels)  # fmt: skip


def test_what_reaches_a_node_stays_within_the_share_of_strangers(market: MarketNode, served: Served) -> None:
    paths = [f"/en/car/{vin_of(number % 12)}" if number % 2 else "/v1/members?limit=1" for number in range(REQUESTS)]
    before, began = at_node(market), monotonic()
    with ThreadPoolExecutor(12) as threads:
        found = Counter(threads.map(lambda path: (path[:4], *asked(served, path)), paths))
    reached, seconds = at_node(market) - before, monotonic() - began
    assert {(status, bool(again)) for _, status, again in found} == {(200, False), (503, True)}
    assert reached <= PER_S * (seconds + BURST_S) + 1, "whatever is asked"
    begun = sum(count for (kind, status, _), count in found.items() if kind == "/en/" and status == 200)
    assert begun >= 2, "pages that have begun come to their end"
    with urllib.request.urlopen(served.url + "/metrics") as answer:
        assert prometheus(answer.read().decode())["bmw_web_node_refused_total", ""] > REQUESTS / 4
    assert 200 == status_of(served, "/en/cars"), "the search needs no node"


def is_streaming(served: Served, stack: ExitStack) -> bool:
    """Whether another stream has begun, which ends with the stack."""
    connection = http.client.HTTPConnection("localhost", urlsplit(served.url).port, timeout=10)
    stack.callback(connection.close)
    connection.request("GET", "/v1/stream")
    return connection.getresponse().status == 200


def test_streams_that_are_open_keep_nobody_from_asking(market: MarketNode, served: Served) -> None:
    with ExitStack() as stack:
        for number in range(3 * AT_ONCE):
            wait_for(lambda: is_streaming(served, stack), what=f"room for stream {number}")
        wait_for(lambda: status_of(served, f"/en/car/{vin_of(1)}") == 200, what="a page")


def test_a_stream_whose_node_goes_ends_without_a_word(tmp_path: Path) -> None:
    chain = market_chain()
    with ExitStack() as stack:
        node = stack.enter_context(market_node(chain))
        pages = stack.enter_context(
            serving_pages(tmp_path / "home", genesis_file(chain, tmp_path), [node.url], tier="open")
        )
        connection = http.client.HTTPConnection("localhost", urlsplit(pages.url).port, timeout=10)
        connection.request("GET", "/v1/stream")
        answer = connection.getresponse()
        assert b"retry" in answer.read1()
        node.do(lambda _: node.node.wake())
        stack.callback(connection.close)
        node.loop.call_soon_threadsafe(node.stopping.set)
        text = b""
        while piece := answer.read1():
            text += piece
        assert b"HTTP/1.1" not in text
        assert b"shutting_down" in text
        with pytest.raises(HTTPError) as raised:
            urllib.request.urlopen(pages.url + "/v1/members")
        with raised.value as error:
            assert (502, "node_unreachable") == (error.code, json.load(error)["code"])
