"""The verifier in the browser: the badge of a car's page before nodes and servers that lie, and the page /verify."""

from __future__ import annotations

import io
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import HTTPError

import pytest
import segno
from playwright.sync_api import Browser, Page, Route
from support.browsing import LANGUAGES, SCHEMES, WIDTHS, Looking, Scheme, Served, Width, looking, serving_pages
from support.chain import DAY_MS, HOUR_MS, Chain
from support.life import VIN, maintenance
from support.lying import Answer, LyingNode, lying, today
from support.stages import fork

from node.certificates.build import Certificates, packed
from node.certificates.compact import to_texts
from node.certificates.roots import checkpoint_json, root_of_genesis
from node.chain.genesis import genesis_to_json
from node.ledger.json_form import to_json
from node.txtypes.sale.listing import LISTING
from wallet.paper.document import paper_of
from web.digests import state_digest

pytestmark = pytest.mark.network
CAR = f"/en/verify/{VIN}"
HISTORY = f"/v1/vehicles/{VIN}/history"
CERTIFICATE = f"/v1/vehicles/{VIN}/certificate"
REFUSALS = {
    "certificate_malformed", "wrong_chain", "not_followed", "quorum_missing", "signature_wrong", "proof_wrong",
    "history_incomplete", "history_changed",
}  # fmt: skip
ENDED = ":is([data-state=done],[data-state=refused],[data-state=unreachable])"


@pytest.fixture(scope="module")
def liar() -> Iterator[LyingNode]:
    with lying(today().chain) as node:
        yield node


@pytest.fixture
def node(liar: LyingNode) -> Iterator[LyingNode]:
    """Honest until a test sets `lie`, `swap` or another chain."""
    chain = liar.honest.chain
    yield liar
    liar.lie, liar.swap = (lambda _, document: document), (lambda _, file: file)
    liar.honest.chain = chain


@pytest.fixture(scope="module")
def served(liar: LyingNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("verify")
    (folder / "genesis.json").write_text(genesis_to_json(liar.chain.genesis))
    with serving_pages(folder / "home", folder / "genesis.json", [liar.url]) as found:
        yield found


@pytest.fixture
def window(browser: Browser, served: Served) -> Iterator[Looking]:
    """A reader who was never here."""
    with looking(browser, served.url) as found:
        yield found


def ended(page: Page) -> tuple[str, str, str]:
    """(state, code, sentence) of the badge when it has come to an end."""
    element = page.wait_for_selector(f"bmw-verify{ENDED}")
    assert element is not None
    sentence = (page.text_content("bmw-verify [role=status]") or "").strip()
    return element.get_attribute("data-state") or "", element.get_attribute("data-code") or "", sentence


def badge(window: Looking, path: str = CAR) -> tuple[str, str, str]:
    return ended(window.at(path))


def certificate(node: LyingNode) -> bytes:
    chain = node.honest.chain
    raw = Certificates(chain.genesis, chain.store, chain.store.proof).history(VIN, lambda _: "whole")
    assert raw is not None
    return packed(raw)


def give(page: Page, name: str, *files: bytes, media: str = "application/octet-stream") -> None:
    """Choose files in the verifier."""
    page.wait_for_selector("bmw-check[data-state]")
    page.set_input_files("#file", [{"name": name, "mimeType": media, "buffer": file} for file in files])


def result(page: Page, state: str) -> tuple[str, str]:
    """(code, sentence) of the verifier in that state."""
    element = page.wait_for_selector(f"bmw-check[data-state={state}]")
    assert element is not None
    return element.get_attribute("data-code") or "", (page.text_content("[data-part=result]") or "").strip()


# --- the badge ---
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_pages_in_every_language(
    browser: Browser, served: Served, node: LyingNode, width: Width, scheme: Scheme
) -> None:
    with looking(browser, served.url, width, scheme) as window:
        for language in LANGUAGES:
            state, code, sentence = badge(window, f"/{language}/verify/{VIN}")
            assert ("done", "") == (state, code), sentence
            window.check(f"verify-car-{language}")
            page = window.at(f"/{language}/verify")
            give(page, "car.bmwc", certificate(node))
            page.wait_for_selector("bmw-check[data-state=done]")
            window.check(f"verify-done-{language}")


def test_what_is_true_is_green(window: Looking, node: LyingNode) -> None:
    state, code, sentence = badge(window)
    assert ("done", "") == (state, code), sentence
    element = window.page.query_selector("bmw-verify")
    assert element is not None
    count = element.get_attribute("data-record-count")
    assert sentence.startswith(f"Your browser has checked: these {count} records are all that the chain had on ")
    found = element.get_attribute("data-height"), element.get_attribute("data-age-days")
    assert (str(node.honest.chain.store.height()), "0") == found


def in_record(sequence: int, change: Callable[[dict[str, Any]], Any]) -> Callable[[str, Any], Any]:
    """A lie in one record of the history."""

    def lie(path: str, document: Any) -> Any:
        if path == HISTORY:
            change(document["records"][sequence])
        return document

    return lie


def in_list(change: Callable[[list[Any]], Any]) -> Callable[[str, Any], Any]:
    def lie(path: str, document: Any) -> Any:
        if path == HISTORY:
            change(document["records"])
        return document

    return lie


def odometer_back(record: dict[str, Any]) -> None:
    record["content"]["odometer"]["value"] -= 1_000


LIES: dict[str, tuple[Callable[[str, Any], Any], str, str]] = {
    "an odometer turned back": (in_list(lambda records: odometer_back(_read(records))), "refused", "changed"),
    "another author": (in_record(1, lambda record: record.update(author_name="somebody")), "refused", "changed"),
    "another day": (in_record(0, lambda record: record.update(event_at="2020-01-01T00:00:00.000Z")), "refused",
                    "changed"),
    "another kind, its content withheld": (
        in_record(1, lambda record: record.update(kind="accident.report", content=None)), "refused", "changed",
    ),
    "a record left out": (in_list(lambda records: records.pop(1)), "refused", "changed"),
    "the last record left out": (in_list(lambda records: records.pop()), "refused", "missing"),
    "all records left out": (in_list(lambda records: records.clear()), "refused", "missing"),
    "a record invented": (in_list(lambda records: records.append(records[-1])), "refused", "invented"),
    "a state that is none": (
        lambda path, document: {**document, "value": document["value"][:-2] + "00"} if "/state/" in path else document,
        "refused", "proof_wrong",
    ),
    "no answer": (lambda path, document: Answer(503, {}) if "/state/" in path else document, "unreachable",
                  "unreachable"),
}  # fmt: skip


def _read(records: list[Any]) -> dict[str, Any]:
    """The last record with a reading."""
    found: dict[str, Any] = next(r for r in reversed(records) if r["content"].get("odometer"))
    return found


@pytest.mark.parametrize("name", LIES)
def test_a_lying_node_is_refused(window: Looking, node: LyingNode, name: str) -> None:
    node.lie, wanted_state, wanted_code = LIES[name]
    state, code, sentence = badge(window)
    assert (wanted_state, wanted_code) == (state, code), sentence
    assert ("Do not rely on this page." in sentence) == (wanted_state == "refused")
    assert "has checked" not in sentence


def test_a_certificate_that_is_another(window: Looking, node: LyingNode) -> None:
    """Of another car, of none, damaged, of an order: none makes the badge green."""
    chain = node.honest.chain
    makes = Certificates(chain.genesis, chain.store, chain.store.proof)
    absent, good = makes.absence("WBA8E9G50GNU99999"), certificate(node)
    for file, wanted in (
        (packed(absent), "other_car"), (good[:-1], "certificate_malformed"), (b"", "certificate_malformed"),
    ):  # fmt: skip
        node.swap = lambda path, honest, file=file: file if path == CERTIFICATE else honest  # type: ignore[misc]
        assert ("refused", wanted) == badge(window)[:2]


def test_an_older_certificate_with_an_older_page_is_not_green(window: Looking, node: LyingNode) -> None:
    """A node that withholds the newest record everywhere but in the proven state."""
    old, records = certificate(node), len(_history(node))
    newer = fork(node.honest.chain)
    newer.do("workshop-berlin", maintenance(newer, 8_000))
    node.honest.chain = newer
    node.lie = in_list(lambda found: found.pop())
    node.swap = lambda path, honest: old if path == CERTIFICATE else honest
    state, code, sentence = badge(window)
    assert ("done", "newer_records") == (state, code)
    assert f"{records} records. Reload" in sentence


def test_a_record_that_is_newer_than_the_page_is_no_lie(window: Looking, node: LyingNode) -> None:
    newer = fork(node.honest.chain)
    newer.now = time.time_ns() // 1_000_000
    newer.do("workshop-berlin", maintenance(newer, 8_000))
    node.honest.chain, node.lie = newer, in_list(lambda found: found.pop())
    assert ("done", "newer_records") == badge(window)[:2]


def test_another_branch_and_an_older_head(window: Looking, node: LyingNode) -> None:
    """In one browser: what it has seen, it remembers."""
    first = node.honest.chain
    one, other = fork(first), fork(first)
    one.do("workshop-berlin", maintenance(one, 7_000))
    other.do("workshop-berlin", maintenance(other, 9_000))
    for chain, wanted in ((one, ("done", "")), (first, ("done", "behind_trust")), (other, ("refused", "conflict")),
                          (one, ("done", ""))):  # fmt: skip
        node.honest.chain = chain
        assert wanted == badge(window)[:2]


@pytest.mark.parametrize(
    ("later_ms", "wanted"),
    [
        (73 * DAY_MS, ("done", "old")),
        (200 * DAY_MS, ("done", "root_too_old")),
        (-2 * HOUR_MS, ("refused", "not_followed")),
    ],
)
def test_ages_and_clocks(window: Looking, node: LyingNode, later_ms: int, wanted: tuple[str, str]) -> None:
    window.page.clock.set_fixed_time((time.time_ns() // 1_000_000 + later_ms) / 1_000)
    state, code, sentence = badge(window)
    assert wanted == (state, code), sentence
    if state == "done":
        assert str(later_ms // DAY_MS) == window.page.get_attribute("bmw-verify", "data-age-days")
        assert f"{later_ms // DAY_MS} days ago" in sentence


def test_what_a_server_changes_in_the_page_itself(window: Looking, node: LyingNode) -> None:
    """The number of records, a digest, and a price whose digest is that of what is drawn."""
    listing = LISTING.key(today().listing).decode()
    shown = to_json(node.honest.chain.state(LISTING, today().listing))
    count, digest = f'data-record-count="{len(_history(node))}"', _history(node)[0]["digest"]

    def priced(price: dict[str, Any]) -> str:
        digest = state_digest(listing, shown | {"price": price})
        return f'<p data-state-key="{listing}" data-state-digest="{digest}">{price["amount"]}</p><bmw-verify'

    for changes, wanted in (
        ({"<bmw-verify": priced(shown["price"])}, ("done", "")),
        ({"<bmw-verify": priced(shown["price"] | {"amount": 1})}, ("refused", "value")),
        ({count: 'data-record-count="3"'}, ("refused", "count")),
        ({count: 'data-record-count="99"'}, ("refused", "count")),
        ({count: ""}, ("refused", "count")),
        ({"data-record-sequence": "data-none"}, ("done", "")),
        ({"data-record-sequence": "data-none", count: 'data-record-count="3"'}, ("refused", "missing")),
        ({'data-record-sequence="0"': 'data-record-sequence="1"'}, ("refused", "changed")),
        ({digest: "00" * 32}, ("refused", "changed")),
    ):
        window.context.route("**" + CAR, replacing(changes))
        assert wanted == badge(window)[:2], changes
        window.context.unroute("**" + CAR)


def replacing(changes: dict[str, str]) -> Callable[[Route], None]:
    """A server that draws the page as it is, but for these texts."""

    def changed(route: Route) -> None:
        honest = route.fetch()
        text = honest.text()
        for was, becomes in changes.items():
            assert was in text
            text = text.replace(was, becomes)
        route.fulfill(response=honest, body=text)

    return changed


def _history(node: LyingNode) -> list[Any]:
    with urllib.request.urlopen(node.url + HISTORY) as answer:
        found: list[Any] = json.load(answer)["records"]
    return found


# --- the page /verify ---
CHANGED = """async ([release, hex]) => {
  const { sha256, verify, rootOfCheckpoint } = await import(`/static/${release}/js/certificate.js`);
  const bytesOf = async (response) => new Uint8Array(await response.arrayBuffer());
  const through = (bytes, stream) => bytesOf(new Response(new Blob([bytes]).stream().pipeThrough(stream)));
  const file = Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
  const raw = await through(file.slice(13), new DecompressionStream("deflate-raw"));
  const root = await rootOfCheckpoint(await bytesOf(await fetch(`/static/${release}/root.json`)));
  let seed = 1;
  const below = (most) => (seed = (seed * 48271) % 2147483647) % most;
  const codes = {};
  for (let n = 0; n <= 1000; n++) {
    const changed = raw.slice();
    if (n > 0) changed[below(raw.length)] ^= 1 << below(8);
    const deflated = await through(changed, new CompressionStream("deflate-raw"));
    const made = new Uint8Array([...file.slice(0, 5), ...sha256(deflated).slice(0, 8), ...deflated]);
    const code = await verify(made, root, Date.now()).then(() => "accepted", (error) => error.code ?? String(error));
    codes[code] = (codes[code] ?? 0) + 1;
  }
  return codes;
}"""


def test_a_thousand_changes_of_one_bit_under_the_pages_policy(window: Looking, node: LyingNode) -> None:
    page = window.at("/en/verify")
    with urllib.request.urlopen(window.base + "/manifest.json") as answer:
        release = json.load(answer)["release"]
    codes = page.evaluate(CHANGED, [release, certificate(node).hex()])
    assert 1 == codes.pop("accepted"), "the one that was not changed"
    assert 1_000 == sum(codes.values())
    assert set(codes) <= REFUSALS and {"certificate_malformed", "proof_wrong", "signature_wrong"} <= set(codes)


def test_a_file_a_paper_and_codes_without_a_network(window: Looking, node: LyingNode) -> None:
    """Everything that the page needs has come with it."""
    chain, file = node.honest.chain, certificate(node)
    root = root_of_genesis(chain.genesis)
    paper = paper_of(file, root, chain.now, "de")
    compact = Certificates(chain.genesis, chain.store, chain.store.proof).compact(VIN)
    assert compact is not None
    codes = to_texts(compact)
    page = window.at("/en/verify")
    page.wait_for_selector("bmw-check[data-state=idle]")
    window.context.set_offline(True)
    give(page, "car.bmwc", file)
    code, sentence = result(page, "done")
    assert code == "" and sentence.startswith(f"Genuine. The history of {VIN} is complete: ")
    facts = page.text_content("[data-part=facts]") or ""
    assert facts.startswith("Age") and "330I" in facts and chain.genesis_hash.hex() in facts
    assert len(_history(node)) == page.locator("[data-part=facts] tbody tr").count()
    give(page, "damaged.bmwc", file[:-1])
    assert "certificate_malformed" == result(page, "refused")[0]
    assert "" == page.text_content("[data-part=facts]")
    give(page, "car.pdf", paper, media="application/pdf")
    assert "" == result(page, "done")[0]
    give(page, "scan.pdf", b"%PDF-1.7 a scan")
    assert "no_attachment" == result(page, "idle")[0]
    page.click("summary >> nth=0")
    page.fill("#text", "\n".join(codes))
    page.press("#text", "Tab")
    page.keyboard.press("Enter")
    assert result(page, "done")[1].startswith(f"Genuine. The state of {VIN} with ")
    window.check("verify-codes")


WITHOUT_ED25519 = """(() => {
  const { importKey } = SubtleCrypto.prototype;
  SubtleCrypto.prototype.importKey = function (format, key, algorithm, ...rest) {
    if (algorithm === "Ed25519") return Promise.reject(new DOMException("Unrecognized name.", "NotSupportedError"));
    return importKey.call(this, format, key, algorithm, ...rest);
  };
})()"""


def test_a_browser_without_ed25519_has_the_vendored_one_before_the_network_goes(
    window: Looking, node: LyingNode
) -> None:
    window.context.add_init_script(WITHOUT_ED25519)
    page = window.at("/en/verify")
    page.wait_for_selector("bmw-check[data-state=idle]")
    window.context.set_offline(True)
    give(page, "car.bmwc", certificate(node))
    assert "" == result(page, "done")[0]


def test_the_readers_own_root(window: Looking, node: LyingNode) -> None:
    chain = node.honest.chain
    other = root_of_genesis(Chain().genesis)
    page = window.at("/en/verify")
    page.wait_for_selector("bmw-check[data-state=idle]")

    def choose(text: str) -> str:
        page.set_input_files("#own", [{"name": "root.json", "mimeType": "application/json", "buffer": text.encode()}])
        page.wait_for_selector("[data-part=root] span")
        return page.text_content("[data-part=root]") or ""

    assert other.genesis_hash.hex() in choose(checkpoint_json(other, []))
    give(page, "car.bmwc", certificate(node))
    assert "wrong_chain" == result(page, "refused")[0]
    assert "no trust root" in choose("{}")
    give(page, "car.bmwc", certificate(node))
    assert "" == result(page, "done")[0], "the release's own root again"
    with urllib.request.urlopen(window.base + "/manifest.json") as answer:
        release = json.load(answer)["release"]
    with urllib.request.urlopen(f"{window.base}/static/{release}/root.json") as answer:
        assert checkpoint_json(root_of_genesis(chain.genesis), []) == answer.read().decode()


def picture_of(text: str, kind: str = "png") -> bytes:
    stream = io.BytesIO()
    segno.make_qr(text, error="l").save(stream, kind=kind, scale=3, border=4)
    return stream.getvalue()


def test_a_picture_is_read_by_the_server_where_the_browser_cannot(window: Looking, node: LyingNode) -> None:
    chain = node.honest.chain
    compact = Certificates(chain.genesis, chain.store, chain.store.proof).compact(VIN)
    assert compact is not None
    pictures = [picture_of(text) for text in to_texts(compact)]
    page = window.at("/en/verify")
    for number, picture in enumerate(pictures, 1):
        give(page, "photo.png", picture, media="image/png")
        if number < len(pictures):
            assert "more_codes" == result(page, "idle")[0]
    assert result(page, "done")[1].startswith(f"Genuine. The state of {VIN}")
    give(page, "photo.png", picture_of("https://chain.example"), media="image/png")
    assert "certificate_malformed" == result(page, "refused")[0]
    give(page, "photo.jpg", b"no picture", media="image/jpeg")
    assert "no_code_found" == result(page, "idle")[0]


def test_what_decode_refuses(served: Served) -> None:
    def asked(body: bytes, **headers: str) -> tuple[int, Any]:
        request = urllib.request.Request(served.url + "/decode", data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)["code"]

    assert (200, {"texts": ["BMW1:00"]}) == asked(picture_of("BMW1:00"))
    assert (422, "no_code_found") == asked(b"")
    assert (422, "no_code_found") == asked(picture_of("BMW1:00", kind="svg")), "no format of pictures"
    assert (413, "too_large") == asked(bytes(4 * 1024 * 1024 + 1))
    assert (403, "other_origin") == asked(b"x", **{"Sec-Fetch-Site": "cross-site"})


def test_without_javascript(browser: Browser, served: Served, node: LyingNode) -> None:
    with looking(browser, served.url, java_script_enabled=False) as window:
        page = window.at("/en/verify")
        assert "runs no scripts here" in (page.text_content("main") or "")
        assert "bmw-audit verify-certificate" in (page.text_content("#without") or "")
        assert not page.is_visible("#file")
        page.fill("#vin", VIN.lower())
        page.click("form[method=get] button")
        page.wait_for_url("**" + CAR)
        assert "Told by this server" in (page.text_content("bmw-verify") or "")
        assert _history(node)[0]["digest"] in (page.text_content("table") or "")
        page = window.at("/en/verify?vin=XYZ", 400)
        assert "17 letters" in (page.text_content("#vin-error") or "")
        window.at(f"/en/verify/{VIN[:-1]}I", 404)
        window.at(f"/en/verify?vin={VIN}&vin=x", 400)
