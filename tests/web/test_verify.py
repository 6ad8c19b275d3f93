"""The page /verify: files, papers, codes and pictures, with and without a network."""

from __future__ import annotations

import io
import json
import urllib.request
from typing import Any
from urllib.error import HTTPError

import pytest
import segno
from playwright.sync_api import Browser
from support.browsing import LANGUAGES, SCHEMES, WIDTHS, Looking, Scheme, Served, Width, looking
from support.chain import Chain
from support.life import VIN
from support.lying import LyingNode
from support.verifying import CAR, badge, certificate, give, history, result

from node.certificates.build import Certificates
from node.certificates.compact import to_texts
from node.certificates.roots import checkpoint_json, root_of_genesis
from wallet.paper.document import paper_of

pytestmark = pytest.mark.network
REFUSALS = {
    "certificate_malformed", "wrong_chain", "not_followed", "quorum_missing", "signature_wrong", "proof_wrong",
    "history_incomplete", "history_changed",
}  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_pages_in_every_language(
    browser: Browser, doubted: Served, node: LyingNode, width: Width, scheme: Scheme
) -> None:
    with looking(browser, doubted.url, width, scheme) as window:
        for language in LANGUAGES:
            with_axe = language == LANGUAGES[WIDTHS.index(width) + SCHEMES.index(scheme)]
            state, code, sentence = badge(window, f"/{language}/verify/{VIN}")
            assert ("done", "") == (state, code), sentence
            window.check(f"verify-car-{language}", with_axe=with_axe)
            page = window.at(f"/{language}/verify")
            give(page, "car.bmwc", certificate(node))
            page.wait_for_selector("bmw-check[data-state=done]")
            window.check(f"verify-done-{language}", with_axe=with_axe)


CHANGED = """async ([release, hex]) => {
  const { sha256, verify, rootOfCheckpoint } = await import(`/static/${release}/source/js/certificate.js`);
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
    assert result(page, "done").startswith(f"Genuine. The history of {VIN} is complete: ")
    facts = page.text_content("[data-part=facts]") or ""
    assert facts.startswith("Age") and "330I" in facts and chain.genesis_hash.hex() in facts
    assert len(history(node)) == page.locator("[data-part=facts] tbody tr").count()
    give(page, "damaged.bmwc", file[:-1])
    result(page, "refused", "certificate_malformed")
    assert "" == page.text_content("[data-part=facts]")
    give(page, "car.pdf", paper, media="application/pdf")
    result(page, "done")
    give(page, "scan.pdf", b"%PDF-1.7 a scan")
    result(page, "idle", "no_attachment")
    page.click("summary >> nth=0")
    page.fill("#text", "\n".join(codes))
    page.press("#text", "Tab")
    page.keyboard.press("Enter")
    assert result(page, "done").startswith(f"Genuine. The state of {VIN} with ")
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
    result(page, "done")


def test_the_readers_own_root(window: Looking, node: LyingNode) -> None:
    chain = node.honest.chain
    other = root_of_genesis(Chain().genesis)
    page = window.at("/en/verify")
    page.wait_for_selector("bmw-check[data-state=idle]")

    def choose(text: str, shown: str) -> None:
        page.set_input_files("#own", [{"name": "root.json", "mimeType": "application/json", "buffer": text.encode()}])
        page.locator("[data-part=root]", has_text=shown).wait_for()

    choose(checkpoint_json(other, []), other.genesis_hash.hex())
    give(page, "car.bmwc", certificate(node))
    result(page, "refused", "wrong_chain")
    choose("{}", "no trust root")  # the release's own root is used again
    give(page, "car.bmwc", certificate(node))
    result(page, "done")
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
    (text,) = to_texts(compact)
    halves = [text.replace("BMW1:", "BMW1/1/2:")[:400], "BMW1/2/2:" + text.replace("BMW1:", "BMW1/1/2:")[400:]]
    first, second = map(picture_of, halves)
    page = window.at("/en/verify")
    give(page, "photo.png", picture_of(text), media="image/png")
    assert result(page, "done").startswith(f"Genuine. The state of {VIN}")
    give(page, "photo.png", second, media="image/png")
    assert "1 of 2 codes read" in result(page, "idle", "more_codes")
    give(page, "photo.png", first, media="image/png")
    result(page, "done")
    give(page, "photo.jpg", b"no picture", media="image/jpeg")
    result(page, "idle", "no_code_found")
    give(page, "photo.png", first, second, media="image/png")
    result(page, "done")
    give(page, "photo.png", picture_of("https://chain.example"), media="image/png")
    result(page, "refused", "certificate_malformed")


def test_what_decode_refuses(doubted: Served) -> None:
    def asked(body: bytes, **headers: str) -> tuple[int, Any]:
        request = urllib.request.Request(doubted.url + "/decode", data=body, headers=headers, method="POST")
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


def test_without_javascript(browser: Browser, doubted: Served, node: LyingNode) -> None:
    with looking(browser, doubted.url, java_script_enabled=False) as window:
        page = window.at("/en/verify")
        assert "runs no scripts here" in (page.text_content("main") or "")
        assert "bmw-audit verify-certificate" in (page.text_content("#without") or "")
        assert not page.is_visible("#file")
        page.fill("#vin", VIN.lower())
        page.click("form[method=get] button")
        page.wait_for_url("**" + CAR)
        assert "Told by this server" in (page.text_content("bmw-verify") or "")
        assert history(node)[0]["digest"] in (page.text_content("table") or "")
        page = window.at("/en/verify?vin=XYZ", 400)
        assert "17 letters" in (page.text_content("#vin-error") or "")
        window.at(f"/en/verify/{VIN[:-1]}I", 404)
        window.at(f"/en/verify?vin={VIN}&vin=x", 400)
