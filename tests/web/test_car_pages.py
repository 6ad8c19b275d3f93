"""The pages of cars and listings in a browser, and what a reader takes away of them."""

from __future__ import annotations

import io
import json
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser
from support.browsing import LANGUAGES, SCHEMES, WIDTHS, Scheme, Served, Width, looking, serving_pages
from support.life import VIN
from support.lying import LyingNode, lying
from support.papers import attached
from support.shown_cars import ABSENT, CLEAN, LOST, Shown, genesis_file, shown_cars

from node.certificates.compact import from_texts, verify_compact
from node.certificates.roots import root_of_genesis
from node.certificates.verifier import verify
from web.words import CATALOGUE

pytestmark = pytest.mark.network


class Showing(NamedTuple):
    """Pages over a node, in both tiers; the node is honest but where a test says otherwise."""

    shown: Shown
    node: LyingNode
    pages: Served
    strangers: Served


@pytest.fixture(scope="module")
def showing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Showing]:
    folder, shown = tmp_path_factory.mktemp("shown"), shown_cars()
    genesis = genesis_file(shown.chain, folder)
    limited = folder / "strangers"
    limited.mkdir()
    (limited / "config.toml").write_text("[web]\nlimit_loopback = true\nrequest_burst = 10000\n")
    with (
        lying(shown.chain) as node,
        serving_pages(folder / "open", genesis, [node.url], "--tier", "open") as pages,
        serving_pages(limited, genesis, [node.url]) as strangers,
    ):
        yield Showing(shown, node, pages, strangers)


class Answer(NamedTuple):
    status: int
    headers: Message
    body: bytes


def ask(url: str) -> Answer:
    """Without following redirections."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    try:
        with urllib.request.build_opener(Stay).open(url) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


# --- to look at -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_pages_of_cars_and_listings(browser: Browser, showing: Showing, width: Width, scheme: Scheme) -> None:
    """The page with most on it in all that there is, the others in both widths, both schemes and every language."""
    shown = showing.shown
    others = [(f"/car/{CLEAN}", 200), (f"/car/{LOST}", 200), (f"/car/{shown.imported}", 200), (f"/car/{ABSENT}", 404)]
    others += [(f"/car/{LOST}/sale", 200), (f"/car/{CLEAN}/sale", 200)]
    others += [(f"/listing/{shown.listing.hex()}", 200), (f"/listing/{shown.build.hex()}", 200)]
    first = WIDTHS.index(width) + SCHEMES.index(scheme)
    with looking(browser, showing.pages.url, width, scheme) as window:
        window.look_in_every_language({f"/car/{VIN}": 200})
        for number, (path, status) in enumerate(others):
            if (number + first) % 2 == 0:
                language = LANGUAGES[(number + WIDTHS.index(width)) % 3]
                window.look(f"/{language}{path}", status)


def test_everything_unfolded_stays_within_a_telephone(browser: Browser, showing: Showing) -> None:
    with looking(browser, showing.pages.url, 390) as window:
        page = window.at(f"/de/car/{VIN}")
        for summary in page.locator("summary").all():
            summary.click()
        assert 0 == page.locator("details:not([open])").count()
        window.check("unfolded")


def test_a_car_is_read_without_javascript(browser: Browser, showing: Showing) -> None:
    with looking(browser, showing.pages.url, 390, java_script_enabled=False) as window:
        page = window.at(f"/en/car/{VIN}")
        assert "Records of authors revoked for fraud" in page.locator(".findings li").first.inner_text()
        link = page.locator(".findings a[href='#record-6']").first
        assert not page.locator("#record-6").is_visible()
        link.click()
        page.locator("#record-6").wait_for(state="visible")
        assert page.locator(".files a").count() == 3
        assert not window.faults


def test_the_story_in_every_language(browser: Browser, pages: Served, played: object) -> None:
    vin = played.told.vin  # type: ignore[attr-defined]
    with looking(browser, pages.url, 1280) as window:
        for language in LANGUAGES:
            page = window.look(f"/{language}/car/{vin}", with_axe=language == "zh")
            assert page.locator(".life > li").count() == 22
            assert page.locator(".findings > li.bad").count() == 1, "the lien of the bank"


# --- to take away ------------------------------------------------------------------------------------------------
def test_the_papers_prove_the_history(showing: Showing) -> None:
    base, root = showing.pages.url, root_of_genesis(showing.shown.chain.genesis)
    file = ask(f"{base}/en/car/{VIN}/certificate.bmwc")
    verdict = verify(file.body, root, showing.shown.chain.now, accept_old_root=True)
    assert (VIN, 16) == (verdict["vin"], len(verdict["records"]))
    assert f'attachment; filename="{VIN}.bmwc"' == file.headers["Content-Disposition"]
    for language in LANGUAGES:
        paper = ask(f"{base}/{language}/car/{VIN}/certificate.pdf")
        assert "application/pdf" == paper.headers["Content-Type"]
        name, inside = attached(paper.body)
        assert (f"{VIN}.bmwc", VIN) == (
            name,
            verify(inside, root, showing.shown.chain.now, accept_old_root=True)["vin"],
        )
        assert paper.body == ask(f"{base}/{language}/car/{VIN}/certificate.pdf").body, "kept by VIN and height"


def test_a_camera_reads_the_code(browser: Browser, showing: Showing) -> None:
    with looking(browser, showing.pages.url) as window:
        page = window.at(f"/en/car/{VIN}/code.svg")
        picture = Image.open(io.BytesIO(page.locator("svg").screenshot()))
    texts = [found.text for found in zxingcpp.read_barcodes(picture)]

    root = root_of_genesis(showing.shown.chain.genesis)
    verdict = verify_compact(from_texts(texts), root, showing.shown.chain.now, accept_old_root=True)
    assert VIN == verdict["vin"]


def test_the_absence_of_a_car_is_proven(showing: Showing) -> None:
    base, root = showing.pages.url, root_of_genesis(showing.shown.chain.genesis)
    page, proof = ask(f"{base}/en/car/{ABSENT}"), ask(f"{base}/en/car/{ABSENT}/absence.bmwc")

    assert 404 == page.status
    assert f"/en/car/{ABSENT}/absence.bmwc".encode() in page.body
    verdict = verify(proof.body, root, showing.shown.chain.now, accept_old_root=True)
    assert ("absence", ABSENT) == (verdict["kind"], verdict["vin"])
    assert 404 == ask(f"{base}/en/car/{VIN}/absence.bmwc").status, "it is there"


def test_a_false_certificate_is_not_drawn(showing: Showing) -> None:
    other = ask(f"{showing.pages.url}/en/car/{LOST}/certificate.bmwc").body
    showing.node.swap = lambda path, raw: other[:-40] + bytes(40) if path.endswith("/certificate") else raw
    try:
        paper = ask(f"{showing.pages.url}/en/car/{CLEAN}/certificate.pdf")
    finally:
        showing.node.swap = lambda _, raw: raw

    assert 502 == paper.status
    assert CATALOGUE["error.untrue_title"].en.encode() in paper.body
    assert 200 == ask(f"{showing.pages.url}/en/car/{CLEAN}/certificate.pdf").status, "the next one is asked for anew"


# --- who may see what -----------------------------------------------------------------------------------------------
def test_strangers_see_cars_that_are_for_sale(browser: Browser, showing: Showing) -> None:
    base = showing.strangers.url
    shown = ask(f"{base}/en/car/{CLEAN}")
    assert 200 == shown.status
    assert b"dealer-munich" in shown.body
    assert b"bmw1" not in shown.body, "accounts have names, no addresses"
    for path in (f"/car/{VIN}", f"/car/{VIN}/sale", f"/car/{VIN}/certificate.bmwc", f"/car/{VIN}/certificate.pdf"):
        assert 403 == ask(f"{base}/en{path}").status, path
    with looking(browser, base, 390) as window:
        page = window.look(f"/zh/car/{VIN}", 403)
        assert 0 == page.locator(".timeline, .facts").count()


def test_strangers_get_two_papers_a_second(showing: Showing) -> None:
    answers = [ask(f"{showing.strangers.url}/en/car/{CLEAN}/code.svg") for _ in range(12)]

    refused = [answer for answer in answers if answer.status == 429]
    assert 3 <= len(refused) <= 6, [answer.status for answer in answers]
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)


# --- what is not asked for so -----------------------------------------------------------------------------------------
def test_what_cannot_be_is_said(showing: Showing) -> None:
    base = showing.pages.url
    moved = ask(f"{base}/en/car/{VIN.lower()}/sale")
    assert (301, f"/en/car/{VIN}/sale") == (moved.status, moved.headers["Location"])
    for path in ("/car/WBA", "/car/WBA8E9G50GNUOIQ45", f"/car/{VIN}?sort=x", "/listing/12", f"/car/{VIN}/code.svg?a=1"):
        assert 400 == ask(f"{base}/de{path}").status, path
    assert 404 == ask(f"{base}/de/listing/{'0' * 64}").status
    assert 404 == ask(f"{base}/de/car/{ABSENT}/certificate.pdf").status


def test_a_page_says_nothing_that_a_node_slips_in(browser: Browser, showing: Showing) -> None:
    """Texts of a node are drawn as texts."""
    attack = "<script>alert(1)</script><img src=x onerror=alert(1)>"

    def lie(path: str, document: object) -> object:
        raw = json.dumps(document)
        return json.loads(raw.replace('"workshop-berlin"', json.dumps(attack)).replace('"330I"', json.dumps(attack)))

    showing.node.lie = lie
    try:
        with looking(browser, showing.pages.url) as window:
            page = window.at(f"/en/car/{VIN}")
            assert attack in page.locator("h1").inner_text()
            assert 0 == page.locator("main script, main img").count()
            assert not window.faults
    finally:
        showing.node.lie = lambda _, document: document


def test_the_log_has_no_failure(showing: Showing) -> None:
    for served in (showing.pages, showing.strangers):
        assert "page_failed" not in Path(served.log).read_text()
