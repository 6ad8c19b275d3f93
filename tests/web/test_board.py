"""The operator board over real nodes: its figures are the nodes' own, a killed node raises its alarm without a reload,
and strangers see nothing of it."""

from __future__ import annotations

import http.client
import json
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Page
from support.browsing import LANGUAGES, Scheme, Served, Width, looking, serving_pages
from support.processes import running_network, wait_for
from support.prometheus import prometheus

from node.cli.local_network import LocalNetwork

pytestmark = pytest.mark.network
LIVE = "bmw-live[data-state=live]"


class Own(NamedTuple):
    """Two validators, and pages for strangers over them whose operator may see the board: three streams at most."""

    network: LocalNetwork
    served: Served


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    folder = tmp_path_factory.mktemp("board")
    with running_network(folder / "network", 2, consensus__block_interval_empty_ms=2_000) as network:
        (folder / "home").mkdir()
        (folder / "home" / "config.toml").write_text("[web]\nboard = true\nstreams_max = 3\n")
        genesis = network.nodes[0].home.path / "genesis.json"
        with serving_pages(folder / "home", genesis, [node.url for node in network.nodes]) as served:
            yield Own(network, served)


def asked(served: Served, path: str, **headers: str) -> tuple[int, str]:
    connection = connected(served)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def connected(served: Served) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("localhost", urllib.parse.urlsplit(served.url).port, timeout=30)


def streamed(served: Served) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = connected(served)
    connection.request("GET", "/en/board/events")
    return connection, connection.getresponse()


def event(answer: http.client.HTTPResponse) -> tuple[str, Any]:
    """The next event of a stream."""
    name, data = "", ""
    while not data:
        line = answer.readline().decode()
        assert line, "the stream has ended"
        name = line[7:].strip() if line.startswith("event: ") else name
        data = line[6:] if line.startswith("data: ") else data
    return name, json.loads(data)


def place(page: Page, name: str) -> str:
    return page.inner_text(f'[data-live="{name}"]')


# --- what everybody sees in the tier `open` -----------------------------------------------------------------------
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_the_board_in_every_language(browser: Browser, pages: Served, width: Width, scheme: Scheme) -> None:
    with looking(browser, pages.url, width, scheme, reduced_motion="reduce") as window:
        for language in LANGUAGES:
            window.at(f"/{language}/board").wait_for_selector(LIVE)
            for summary in window.page.query_selector_all("summary"):
                summary.click()
            window.check(f"/{language}/board")
        window.look("/en/board/runbook#disk")


def test_the_figures_are_the_nodes_own(browser: Browser, pages: Served, played: Any) -> None:
    with looking(browser, pages.url) as window:
        page = window.at("/en/board")
        page.wait_for_selector(LIVE)
        for number, node in enumerate(played.network.nodes):
            status = node.get("/v1/status")
            metrics = prometheus(http_text(node.url + "/metrics"))
            for name, own in {
                "name": status["moniker"], "version": status["version"], "signing": status["signing"],
                "peers": str(int(metrics["bmw_peers", ""])), "tls": "no TLS",
                "snapshot": "none" if not metrics["bmw_newest_snapshot_height", ""] else "?",
            }.items():  # fmt: skip
                assert own == place(page, f"n{number}.{name}"), name
            before = node.height()
            wait_for(lambda n=number, least=before: number_of(place(page, f"n{n}.height")) >= least, what="its height")
            assert number_of(place(page, f"n{number}.height")) <= node.height()
            peers = [peer["member_name"] or peer["moniker"] for peer in node.get("/v1/peers")["peers"]]
            drawn = page.locator(f'[data-live="n{number}.links"] [data-field=name]').all_text_contents()
            assert sorted(peers) == sorted(drawn)
        validators = played.network.nodes[0].get("/v1/validators")["validators"]
        assert {each["name"] for each in validators} == set(
            page.locator("[data-live=validators] [data-field=name]").all_text_contents()
        )
        assert re.fullmatch(r"[\d.,]+ (ms|s)", place(page, "finality")), place(page, "finality")


def http_text(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request("GET", parts.path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def number_of(text: str) -> int:
    return int(text.replace(",", ""))


def test_a_reader_pauses_and_goes_on(browser: Browser, pages: Served) -> None:
    with looking(browser, pages.url) as window:
        page = window.at("/de/board")
        page.wait_for_selector(LIVE)
        page.get_by_role("button", name="Anhalten").click()
        page.wait_for_selector("bmw-live[data-state=stopped]")
        height = place(page, "height")
        page.wait_for_timeout(2_500)
        assert height == place(page, "height")
        page.get_by_role("button", name="Fortsetzen").click()
        page.wait_for_selector(LIVE)
        wait_for(lambda: place(page, "height") != height, what="a newer height")


def test_without_javascript_it_loads_itself(browser: Browser, pages: Served) -> None:
    with looking(browser, pages.url, java_script_enabled=False) as window:
        page = window.at("/en/board")
        assert "10" == page.get_attribute("meta[http-equiv=refresh]", "content")
        assert number_of(place(page, "height")) > 0
        assert "every ten seconds" in page.inner_text(".board-state")
        assert "Pause" not in page.inner_text(".board-state")


# --- who may see it -----------------------------------------------------------------------------------------------
PATHS = ("/en/board", "/en/board/events", "/de/board/runbook")


def test_strangers_of_the_showroom_see_nothing(showroom: Served, own: Own) -> None:
    passed_on = ({"X_Forwarded_For": "127.0.0.1"}, {"Host": "cars.example"}, {"Via": "1.1 proxy"})
    for path in PATHS:
        for served, headers in ((showroom, {}), *((own.served, each) for each in passed_on)):
            status, text = asked(served, path, **headers)
            assert 403 == status, (path, headers)
            assert own.network.nodes[0].url not in text
    assert "/en/board" not in asked(showroom, "/en/members")[1]
    assert "/en/board" not in asked(own.served, "/en/members", Via="1.1 proxy")[1]
    assert 'href="/en/board"' in asked(own.served, "/en/members")[1]
    assert 200 == asked(own.served, "/en/board")[0]


def test_a_stranger_is_told_in_every_language(browser: Browser, showroom: Served) -> None:
    with looking(browser, showroom.url, 390, "dark") as window:
        for language in LANGUAGES:
            window.look(f"/{language}/board", 403)


def test_no_query_is_taken(own: Own) -> None:
    assert 400 == asked(own.served, "/en/board?x=1")[0]


# --- the stream ---------------------------------------------------------------------------------------------------
def test_a_stream_begins_with_everything_and_tells_changes_and_there_are_only_so_many(own: Own) -> None:
    held = [streamed(own.served)]
    name, first = event(held[0][1])
    assert "figures" == name
    assert {"height", "alarms", "validators", "n0.height", "n1.badge"} <= first.keys()
    name, later = event(held[0][1])
    assert "figures" == name
    assert 0 < len(later) < len(first)
    while held[-1][1].status == 200:
        held.append(streamed(own.served))
    assert [200, 200, 200, 503] == [answer.status for _, answer in held]
    assert "streams_full" == json.loads(held[-1][1].read())["code"]
    for connection, answer in held:
        answer.close()
        connection.close()

    def is_free() -> bool:
        connection, answer = streamed(own.served)
        answer.close()
        connection.close()
        return answer.status == 200

    wait_for(is_free, what="a stream")


def test_a_killed_node_raises_its_alarm_without_a_reload(browser: Browser, own: Own) -> None:
    node = own.network.nodes[1]
    with looking(browser, own.served.url) as window:
        page = window.at("/en/board")
        page.wait_for_selector(LIVE)
        assert "does not answer" not in place(page, "summary")
        assert "answers" == place(page, "n1.badge")
        page.evaluate("document.body.dataset.mark = 'not reloaded'")
        node.kill()
        page.wait_for_selector(".alarm", timeout=40_000)
        assert "a node does not answer" in place(page, "summary")
        assert [node.name] == page.locator(".alarm [data-field=nodes]").first.all_text_contents()
        assert "not reachable" == place(page, "n1.badge")
        assert "ConnectorError" in place(page, "n1.why")
        assert page.title().startswith("(")
        window.check("/en/board with an alarm")
        assert f"{own.served.url}/en/board/runbook#silent" == page.evaluate(
            "document.querySelector('.alarm-link').href"
        )
        node.start()
        page.wait_for_selector('[data-live="n1.badge"][data-tone=good]', timeout=40_000)
        page.wait_for_selector('[data-live="summary"]:not(:has-text("does not answer"))')
        assert "not reloaded" == page.evaluate("document.body.dataset.mark")


def test_a_stop_ends_the_streams_and_readers_come_back(browser: Browser, played: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    served = Served(home, played.genesis, played.urls[:1], "--tier", "open")
    with looking(browser, served.url) as window:
        try:
            page = window.at("/en/board")
            page.wait_for_selector(LIVE)
            connection, answer = streamed(served)
            assert "figures" == event(answer)[0]
            assert 0 == served.stop()
            told = re.findall(r"event: (\w+)", answer.read().decode())
            assert "closed" == told[-1]
            connection.close()
            page.wait_for_selector("bmw-live[data-state=reconnecting]")
            port = urllib.parse.urlsplit(served.url).port or 0
            served = Served(home, played.genesis, played.urls[:1], "--tier", "open", port=port)
            page.wait_for_selector(LIVE, timeout=60_000)
        finally:
            served.kill()
