"""The rows of `bmw-node serve`: killed, rebuilt, lied to, moved to another chain, wanted by two processes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from msgspec.structs import replace
from support.browsing import Served, serving_pages
from support.killed_pages import contents, kill_and_compare, progress
from support.lying import lying
from support.market import MarketNode, genesis_file, market_chain, market_node, put_on_sale, withdraw
from support.processes import wait_for
from support.stages import fork

from node.ledger.fields import Money
from node.txtypes.sale.listing import LISTING

pytestmark = pytest.mark.network
CARS = 60


def asked(url: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url + path) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def metric(served: Served, name: str) -> float:
    found = re.search(rf"^bmw_web_{name} (\S+)$", asked(served.url, "/metrics")[1], re.MULTILINE)
    assert found is not None, name
    return float(found[1])


def is_ready(served: Served) -> bool:
    return asked(served.url, "/health/ready")[0] == 200


@pytest.fixture(scope="module")
def market() -> Iterator[MarketNode]:
    chain = market_chain()
    put_on_sale(chain, range(CARS))
    with market_node(chain) as node:
        yield node


@pytest.fixture(scope="module")
def served(market: MarketNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("market")
    with serving_pages(folder / "home", genesis_file(market.chain, folder), [market.url]) as pages:
        wait_for(lambda: is_ready(pages), what="the rows")
        yield pages


def test_rows_after_kills_are_those_of_a_fresh_process(tmp_path: Path) -> None:
    """The first ones are killed while they fill, the last ones while they follow events."""
    chain = market_chain()
    put_on_sale(chain, range(560))
    with market_node(chain) as node:
        told = kill_and_compare(node, tmp_path, 4, seed=1)
    assert told.while_filling >= 1
    assert told.rows > 560 - 30


def test_cars_come_and_go_without_a_reload_of_the_list(market: MarketNode, served: Served) -> None:
    assert f"{CARS} cars" in asked(served.url, "/en/cars")[1]
    market.do(lambda chain: put_on_sale(chain, [500, 501]))
    wait_for(lambda: f"{CARS + 2} cars" in asked(served.url, "/en/cars")[1], what="two more cars")
    market.do(lambda chain: withdraw(chain, [500, 501]))
    wait_for(lambda: f"{CARS} cars" in asked(served.url, "/en/cars")[1], what="two cars less")
    assert 0 == metric(served, "model_rebuilds_total")


def test_rows_are_rebuilt_while_the_old_ones_serve(market: MarketNode, served: Served, tmp_path: Path) -> None:
    home, genesis = tmp_path / "home", genesis_file(market.chain, tmp_path)
    with serving_pages(home, genesis, [market.url]) as pages:
        wait_for(lambda: is_ready(pages), what="the rows")
        assert 0 == pages.stop()
    before = contents(home)
    with serving_pages(home, genesis, [market.url], "--rebuild") as pages:
        is_rebuilt = False
        while not is_rebuilt:
            assert f"{CARS} cars" in asked(pages.url, "/en/cars")[1]
            is_rebuilt = metric(pages, "model_rebuilds_total") == 1
        wait_for(lambda: progress(home).is_complete and is_ready(pages), what="the new rows")
        assert 0 == pages.stop()
    assert before["rows"] == contents(home)["rows"]
    assert not (home / "showroom-next.db").exists()


def test_a_chain_that_began_anew_from_the_same_genesis_has_its_own_rows(tmp_path: Path) -> None:
    chain = market_chain()
    put_on_sale(chain, range(3))
    other = fork(chain)
    put_on_sale(chain, range(3, 6))
    put_on_sale(other, range(6, 11))
    genesis, home = genesis_file(chain, tmp_path), tmp_path / "home"
    for each, cars in ((chain, 6), (other, 8)):
        with market_node(each) as node, serving_pages(home, genesis, [node.url]) as pages:
            node.do(lambda at: at.produce())
            wait_for(lambda pages=pages, cars=cars: f"{cars} cars" in asked(pages.url, "/en/cars")[1], what="its cars")
            wait_for(lambda at=each: progress(home).height == at.store.height(), what="a block with its id")


def test_a_lying_node_is_found_out_by_proofs(tmp_path: Path) -> None:
    """It tells a lower price, with honest proofs. Search stops, and goes on once new rows hold."""
    chain = market_chain()
    put_on_sale(chain, range(4))

    def lie(path: str, document: Any) -> Any:
        if path == "/v1/state" and document["header"] is None:
            for entry in document["entries"]:
                if entry["key"].startswith("listing/") and entry["value"]:
                    told = LISTING.decode(bytes.fromhex(entry["value"]))
                    cheap = replace(told.prices[0], price=Money(100, told.price.currency))
                    entry["value"] = LISTING.encode(replace(told, prices=(cheap,)), LISTING.version).hex()
        return document

    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text("[web]\ncheck_rows_per_hour = 36000\n")
    with lying(chain) as node:
        node.lie = lie
        with serving_pages(home, genesis_file(chain, tmp_path), [node.url]) as pages:
            wait_for(lambda: asked(pages.url, "/en/cars")[0] == 503, what="search to stop")
            assert "Search is paused" in asked(pages.url, "/en/cars")[1]
            status, ready = asked(pages.url, "/health/ready")
            assert status == 503
            assert "rows differ from what the chain proves" in json.loads(ready)["reasons"][0]
            assert "rows_differ" in pages.log.read_text()
            node.lie = lambda path, document: document
            wait_for(lambda: is_ready(pages), 60, what="rows that hold")
            status, html = asked(pages.url, "/en/cars")
            assert (status, "€1<" in html) == (200, False)
            assert metric(pages, "model_differences_total") >= 1


def test_a_second_process_with_the_same_home_is_refused_while_the_first_goes_on(tmp_path: Path) -> None:
    chain, home = market_chain(), tmp_path / "home"
    put_on_sale(chain, range(3))
    genesis = genesis_file(chain, tmp_path)
    with market_node(chain) as node, serving_pages(home, genesis, [node.url]) as pages:
        wait_for(lambda: is_ready(pages), what="the rows")
        command = [sys.executable, "-m", "node.cli.node", "serve", "--home", home, "--genesis", genesis]
        second = subprocess.run(
            [*command, "--node", node.url, "--port", "0"], capture_output=True, text=True, timeout=60
        )  # fmt: skip
        assert (3, "") == (second.returncode, second.stdout)
        assert second.stderr == f"Error: process {pages.process.pid} serves pages from {home}: stop it first\n"
        node.do(lambda at: put_on_sale(at, [3]))
        wait_for(lambda: "4 cars" in asked(pages.url, "/en/cars")[1], what="one more car")
        pages.kill()
        with serving_pages(home, genesis, [node.url]) as third:
            wait_for(lambda: "4 cars" in asked(third.url, "/en/cars")[1], what="the rows of the first")
