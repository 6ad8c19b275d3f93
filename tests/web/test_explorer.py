"""The explorer, members and service: every page in every language, what the tiers keep back, queries of any kind."""

from __future__ import annotations

import http.client
import json
import random
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser
from support.browsing import LANGUAGES, Scheme, Served, Width, looking

from node.cli.stage import Stage

pytestmark = pytest.mark.network
SITE = {
    "code": "HAM-1", "country": "DE", "latitude_e6": 53_551_000, "longitude_e6": 9_994_000,
    "services": ["ENGINE_OIL", "BRAKE_FLUID"], "opening_hours": "Mo-Fr 08:00-18:00; Sa 09:00-13:00",
    "phone": "+494055501", "mail": "info@workshop-hamburg.example", "capabilities": ["HIGH_VOLTAGE"],
}  # fmt: skip


class Shown(NamedTuple):
    """What the pages are about."""

    vin: str
    buyer: str
    order: str
    listing: str
    block: dict[str, Any]
    txids: list[str]


@pytest.fixture(scope="module")
def shown(played: Any) -> Shown:
    """The story, after which a workshop has told its opening hours."""
    Stage(played.network).send("tells its hours", "member.update", "--sites", json.dumps(SITE), "--node-address", "",
                               sender="workshop-hamburg")  # fmt: skip
    node = played.urls[0]
    order = read(f"{node}/v1/orders")["orders"][0]
    blocks = [block for cursor in (1, 21) for block in read(f"{node}/v1/blocks?from={cursor}&limit=20")["blocks"]]
    return Shown(
        order["vin"], order["buyer"], order["id"], order["listing"],
        next(block for block in blocks if block["transactions"]),
        [tx["txid"] for block in blocks for tx in block["transactions"]],
    )  # fmt: skip


def read(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


def paths_of(shown: Shown) -> list[str]:
    return [
        "/explorer", "/explorer?q=nothing+like+this", f"/block/{shown.block['height']}", "/validators", "/members",
        "/members?role=workshop&country=DE", "/members?q=nobody", "/member/workshop-hamburg", "/service",
        "/service?near=Hamburg&role=workshop", "/service?near=Atlantis", f"/tx/{shown.order}", f"/order/{shown.order}",
        f"/account/{shown.buyer}",
    ]  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_every_page_in_every_language(
    browser: Browser, pages: Served, shown: Shown, width: Width, scheme: Scheme
) -> None:
    with looking(browser, pages.url, width, scheme) as window:
        window.look_in_every_language(
            {path: 404 if "nothing" in path else 400 if "Atlantis" in path else 200 for path in paths_of(shown)}
        )


def test_without_javascript_the_field_leads_everywhere(browser: Browser, pages: Served, shown: Shown) -> None:
    block = shown.block
    leads = {
        str(block["height"]): f"/en/block/{block['height']}", block["id"]: f"/en/block/{block['height']}",
        f" {block['id'].upper()} ": f"/en/block/{block['height']}", shown.order: f"/en/order/{shown.order}",
        shown.txids[0]: f"/en/tx/{shown.txids[0]}", shown.buyer: f"/en/account/{shown.buyer}",
        "dealer-munich": "/en/member/dealer-munich",
    }  # fmt: skip
    with looking(browser, pages.url, java_script_enabled=False) as window:
        for sought, path in leads.items():
            window.at("/en/explorer").fill("#q", sought)
            window.page.press("#q", "Enter")
            window.page.wait_for_url(pages.url + path)


def test_a_transaction_is_told_in_words(browser: Browser, pages: Served, shown: Shown) -> None:
    with looking(browser, pages.url) as window:
        text = window.at(f"/de/tx/{shown.order}").inner_text("main")
        for word in ("Kaufangebot", "Aufgenommen", "52.900 €".replace(" ", "\N{NO-BREAK SPACE}"), "Überweisung"):
            assert word in text
        window.page.click("details summary")
        assert '"type": "order.offer"' in window.page.inner_text("pre")
        text = window.at(f"/en/order/{shown.order}").inner_text("main")
        for word in ("completed", "€40,900", "Handover to the buyer", "dealer-munich", "deposit"):
            assert word in text


def test_a_workshop_tells_its_hours_and_the_map_leads_to_it(browser: Browser, pages: Served, shown: Shown) -> None:
    with looking(browser, pages.url) as window:
        page = window.at("/en/service?near=Hamburg")
        first = page.inner_text("#site-1")
        for word in ("workshop-hamburg", "< 1 km", "Mon to Fri", "08:00–18:00", "Sun", "closed", "engine oil",
                     "high voltage", "+494055501"):  # fmt: skip
            assert word in first
        page.click("svg.map a.pin >> nth=0")
        assert page.url.endswith("#site-1")
        page = window.at("/en/service")
        page.click("svg.map a.many >> nth=0")
        page.wait_for_url("**/service?near=*")
        assert page.locator("svg.map a.pin").count() > 1, "nearer, the pins come apart"


def test_the_map_costs_at_most_60_kilobytes(pages: Served) -> None:
    connection = connected(pages)
    connection.request("GET", "/en/service")
    page = connection.getresponse().read().decode()
    outline = page.split('<use class="land" href="')[1].split("#")[0]
    connection.request("GET", outline)
    answer = connection.getresponse()
    drawn = page.split("<svg")[1].split("</svg>")[0]
    assert "image/svg+xml" == answer.headers["Content-Type"]
    assert len(answer.read()) + len(drawn) <= 60_000
    connection.close()


# --- what the showroom keeps back ---------------------------------------------------------------------------------
def test_the_showroom_shows_no_account_no_order_and_no_body(showroom: Served, shown: Shown) -> None:
    connection = connected(showroom)
    for path in (
        f"/tx/{shown.txids[0]}",
        f"/order/{shown.order}",
        f"/account/{shown.buyer}",
        f"/explorer?q={shown.buyer}",
    ):
        assert 403 == status_of(connection, f"/en{path}"), path
    assert 404 == status_of(connection, f"/en/explorer?q={shown.txids[0]}"), "not even whether there is such a one"
    for path in ("/explorer", f"/block/{shown.block['height']}", "/explorer?before=20", "/validators", "/members",
                 "/member/dealer-munich", "/service"):  # fmt: skip
        connection.request("GET", f"/en{path}")
        answer = connection.getresponse()
        text = answer.read().decode()
        assert 200 == answer.status, path
        assert not [txid for txid in shown.txids if txid in text], path
        assert shown.buyer not in text, path
        assert "/account/" not in text, path
    connection.request("GET", f"/en/explorer?q={shown.listing}")
    assert f"/en/car/{shown.vin}" == redirected(connection)
    connection.close()


# --- queries of any kind ------------------------------------------------------------------------------------------
NASTY = ("", "0", "-1", "1e9", "9" * 30, "%", "' OR 1=1 --", "<script>", "\N{SNOWMAN}", "DE", "workshop", "ENGINE_OIL",
         "48,11", "91,181", "kqZibG9ja3Nl", "../../etc/passwd", "{0}", "nan", "a" * 250)  # fmt: skip


def asked(shown: Shown, rolled: random.Random) -> Iterator[str]:
    places = ["/explorer", "/members", "/service", "/validators", f"/account/{shown.buyer}", "/block/{}", "/tx/{}",
              "/order/{}", "/account/{}", "/member/{}"]  # fmt: skip
    names = ("q", "before", "near", "role", "country", "service", "page", "cursor", "x")
    for _ in range(600):
        query = {rolled.choice(names): rolled.choice(NASTY) for _ in range(rolled.randrange(3))}
        part = urllib.parse.quote(rolled.choice(NASTY) or "-", safe="")
        yield f"/{rolled.choice(LANGUAGES)}{rolled.choice(places).format(part)}?{urllib.parse.urlencode(query)}"


def test_no_query_is_answered_with_an_error_of_ours(pages: Served, shown: Shown) -> None:
    connection = connected(pages)
    statuses = [(status_of(connection, path), path) for path in asked(shown, random.Random(13))]
    connection.close()
    assert not [each for each in statuses if each[0] >= 500]
    assert {200, 400, 404} <= {status for status, _ in statuses}


def connected(served: Served) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("localhost", urllib.parse.urlsplit(served.url).port, timeout=30)


def status_of(connection: http.client.HTTPConnection, path: str) -> int:
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def redirected(connection: http.client.HTTPConnection) -> str:
    answer = connection.getresponse()
    answer.read()
    assert 303 == answer.status
    return answer.headers["Location"]
