"""The showroom in a real browser over a node: every language, width and scheme, and without JavaScript."""

from __future__ import annotations

import gzip
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from support.browsing import SCHEMES, WIDTHS, Looking, Scheme, Width, looking, serving_pages
from support.market import genesis_file, market_chain, market_node, put_on_sale
from support.processes import wait_for

from web.read_model.search import SORTS

pytestmark = pytest.mark.network
CARS = 30
HTML_GZIP_MAX = 12_000


@pytest.fixture(scope="module")
def showroom_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Half of the cars have come onto the market while the pages were up."""
    folder, chain = tmp_path_factory.mktemp("showroom"), market_chain()
    put_on_sale(chain, range(CARS // 2))
    with (
        market_node(chain) as node,
        serving_pages(folder / "home", genesis_file(chain, folder), [node.url]) as served,
    ):

        def has(count: int) -> bool:
            with urllib.request.urlopen(served.url + "/en/cars") as answer:
                return f"{count} cars" in answer.read().decode()

        wait_for(lambda: has(CARS // 2), what="the first cars")
        node.do(lambda at: put_on_sale(at, range(CARS // 2, CARS)))
        wait_for(lambda: has(CARS), what="the cars in the showroom")
        yield served.url


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_showroom_in_every_language(
    browser: Browser, showroom_url: str, width: Width, scheme: Scheme
) -> None:  # fmt: skip
    with looking(browser, showroom_url, width, scheme) as window:
        window.look_in_every_language({"/cars": 200, "/cars/filters?model=330I&no_accident=1": 200})
        window.look("/zh/cars?near=dealer-munich/MUC-1&radius=100&price_max=50000&sort=nearest")
        window.look("/de/cars?q=NOTHING")
        window.look("/en/cars?year_min=old", 400)


def test_filters_sorts_and_pages_work_without_javascript(browser: Browser, showroom_url: str) -> None:
    with looking(browser, showroom_url, java_script_enabled=False) as window:
        page = window.at("/en/cars")
        page.locator("#f-powertrain").select_option("bev")
        page.get_by_label("No accident reported").check()
        page.get_by_role("button", name="Show cars").click()
        facts = page.locator(".car-facts").all_inner_texts()
        assert facts
        assert all("Electric" in each for each in facts)
        page.locator(".chip").first.click()
        assert 1 == page.locator(".chip").count()
        page.get_by_role("link", name="Lowest price").click()
        assert "within one currency: EUR" in page.locator(".market-results").inner_text()
        prices = [
            int(each.replace("€", "").replace(",", "")) for each in page.locator(".car-price strong").all_inner_texts()
        ]
        assert prices == sorted(prices)
        _every_car_is_on_one_page(window)


def _every_car_is_on_one_page(window: Looking) -> None:
    page = window.at("/en/cars")
    seen: list[str | None] = []
    while True:
        seen += [link.get_attribute("href") for link in page.locator(".car-card h2 a").all()]
        following = page.get_by_role("link", name="Next page")
        if not following.count():
            break
        following.click()
    assert CARS == len(seen) == len(set(seen))


def test_on_a_phone_the_filters_are_a_page_of_their_own(browser: Browser, showroom_url: str) -> None:
    with looking(browser, showroom_url, 390) as window:
        page = window.at("/de/cars?model=330I")
        assert not page.locator(".market-filters").is_visible()
        page.get_by_role("link", name="Filter (1)").click()
        assert "330I" == page.locator("#f-model").input_value()
        page.locator("#f-km_max").fill("500")
        page.get_by_role("button", name="Fahrzeuge zeigen").click()
        assert 2 == page.locator(".chip").count()


def test_a_car_is_found_by_the_beginning_of_its_vin(browser: Browser, showroom_url: str) -> None:
    with looking(browser, showroom_url) as window:
        page = window.at("/en/cars")
        page.get_by_label("Model or VIN").fill("wba8e9g500000001")
        page.get_by_role("button", name="Search").click()
        assert {f"/en/car/WBA8E9G5{number:09d}" for number in range(10, 20) if number % 6 != 5} == {
            link.get_attribute("href") for link in page.locator(".car-card h2 a").all()
        }


def test_a_page_stays_within_its_budget(showroom_url: str) -> None:
    for path in ("/en/cars", "/de/cars", "/zh/cars", *(f"/en/cars?sort={sort}" for sort in SORTS)):
        asked = urllib.request.Request(showroom_url + path, headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(asked) as answer:
            body = answer.read()
        assert len(body) < HTML_GZIP_MAX, path
        assert b"car-card" in gzip.decompress(body)
