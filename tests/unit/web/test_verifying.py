"""What pages and release give the verifier in the browser: digests of what is drawn, root, texts; pictures of codes."""

from __future__ import annotations

import asyncio
import io
import json
import re
import struct
import zlib
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import segno
from PIL import Image
from support.backend import SingleNode, serving
from support.chain import Chain, address, dev_test_genesis
from support.http import get
from support.javascript.asking import ask_node
from support.life import VIN
from support.lying import at_place, places, with_place
from support.papers import FORMS, eventful_life, history_file
from support.stages import at

from node.certificates.roots import root_of_checkpoint, root_of_genesis
from node.ledger.json_form import to_json
from node.txtypes.members.member import MEMBER
from node.txtypes.sale.listing import LISTING
from node.txtypes.vehicle.vehicle import VEHICLE
from wallet.paper.document import paper_of
from web.assets import ROOT, Assets
from web.digests import record_digest, state_digest
from web.pages.verify import records_shown
from web.picture_codes import PIXELS_MAX, codes_in
from web.words import TAGS, words_of

MODULES = Path(__file__).resolve().parents[3] / "web/js"
NOT_HASHED = {"id", "author_is_fraudulent", "late", "digest"}
"""What a node adds to a record when it is asked."""


@cache
def chain() -> Chain:
    return eventful_life().chain


@cache
def records() -> list[dict[str, Any]]:
    async def asked() -> list[dict[str, Any]]:
        async with serving(SingleNode(chain())) as (_, _, http):
            found: list[dict[str, Any]] = (await get(http, f"/v1/vehicles/{VIN}/history?limit=100"))["records"]
            return found

    return asyncio.run(asked())


# --- digests ---
def test_the_digest_of_a_record_is_that_of_the_chain() -> None:
    assert [record["digest"] for record in records()] == [record_digest(r, n) for n, r in enumerate(records())]
    shown = records_shown(VIN, records(), words_of("de"))
    assert [record["digest"] for record in records()] == [row["digest"] for row in shown["rows"]]
    assert "Anmeldung durch den Hersteller" == shown["rows"][0]["name"]


def test_every_change_of_what_is_drawn_changes_the_digest() -> None:
    """Whatever the node says the digest is."""
    for sequence, record in enumerate(records()):
        for place in places(record):
            was = at_place(record, place)
            if place[0] in NOT_HASHED or isinstance(was, dict | list):
                continue
            becomes = not was if isinstance(was, bool) else was + 1 if isinstance(was, int) else f"{was}0"
            assert record["digest"] != record_digest(with_place(record, place, becomes), sequence), (sequence, place)
        assert "" == record_digest(record, sequence + 1)
        assert "" == record_digest({**record, "content": None}, sequence)


def test_the_digest_of_a_state_value_is_that_of_its_bytes() -> None:
    life = at("handed_over")
    for family, ident in ((VEHICLE, VIN), (LISTING, life.listing), (MEMBER, address("bmw"))):
        key, raw = family.key(ident), life.chain.store.state.get(family.key(ident))
        assert raw is not None
        shown = to_json(family.decode(raw))
        assert sha256(raw).hexdigest() == state_digest(key.decode(), shown)
        for place in places(shown):
            was = at_place(shown, place)
            if isinstance(was, int) and not isinstance(was, bool):
                assert sha256(raw).hexdigest() != state_digest(key.decode(), with_place(shown, place, was + 1)), place
    assert ["", ""] == [state_digest("none/x", {}), state_digest(f"vehicle/{VIN}", {"vin": VIN})]


# --- what a release brings along ---
@cache
def assets() -> Assets:
    return Assets(root_of_genesis(chain().genesis))


def test_the_root_is_that_of_the_genesis_document() -> None:
    root = root_of_genesis(chain().genesis)
    assert root == root_of_checkpoint(assets().by_path[ROOT].body)
    for tag in TAGS:
        for name in ("badge", "verifier"):
            found = json.loads(assets().by_path[f"texts/{name}.{tag}.json"].body)["root"]
            assert root == root_of_checkpoint(json.dumps(found).encode())
    assert assets().release != Assets(root_of_genesis(dev_test_genesis(depth=7))).release, (
        "another chain, another release"
    )


def said(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(assets().by_path[f"texts/{name}.en.json"].body)
    return found


def test_modules_say_what_there_is_and_all_of_it() -> None:
    """Keys that are put together are those of codes and of verdicts."""
    for name, files in (("badge", ["bmw-verify", "differing", "light"]), ("verifier", ["bmw-check", "facts"])):
        source = "".join((MODULES / f"{file}.js").read_text("utf-8") for file in files)
        named = set(re.findall(r'"([a-z]+(?:_[a-z]+)*)"', source))
        texts = {key.removesuffix("_one") for key in said(name)["texts"]}
        made = {
            f"result_{code}" for code in ("history", "compact", "absence", "order", "old", "root_too_old", "refused")
        }
        made |= {f"fact_column_{column}" for column in ("day", "record", "author")} | {"good", "unsupported"}
        assert [] == sorted(texts - named - made), name
        asked = set(re.findall(r'(?:say|count|Differs|Told)\("([a-z_]+)"', source))
        assert asked and asked <= texts, name
        tables = set(re.findall(r'code(?:d)?\("([a-z_]+)"', source))
        assert tables <= set(said(name)["codes"]) and tables, name


@pytest.mark.parametrize("name", ["badge", "verifier"])
def test_each_language_has_the_same_texts_with_the_same_places(name: str) -> None:
    of_tag = {tag: json.loads(assets().by_path[f"texts/{name}.{tag}.json"].body) for tag in TAGS}
    for part in ("texts", "codes"):
        assert of_tag["en"][part].keys() == of_tag["de"][part].keys() == of_tag["zh"][part].keys()
    for key, text in of_tag["en"]["texts"].items():
        expected = set(re.findall(r"{\w+}", text))
        assert all(expected == set(re.findall(r"{\w+}", of_tag[tag]["texts"][key])) for tag in TAGS), key


def test_what_the_style_of_all_pages_weighs() -> None:
    assert len(assets().by_path["css/site.css"].gzipped) < 12_000


def test_what_modules_weigh() -> None:
    """As served. A page that verifies loads `bmw-verify`; where that finds a difference it loads `differing`, and where
    WebCrypto has no Ed25519 `noble`."""
    weights = {path.removeprefix("js/"): len(asset.gzipped) for path, asset in assets().by_path.items()
               if path.startswith("js/")}  # fmt: skip
    limits = {
        "bmw-verify.js": 8_000,
        "differing.js": 8_000,
        "noble.js": 3_400,
        "bmw-live.js": 1_500,
        "bmw-check.js": 13_000,
    }
    assert limits.keys() == weights.keys()
    assert [] == [(name, weight) for name, weight in weights.items() if weight > limits[name]]
    assert len(assets().by_path["texts/badge.de.json"].gzipped) < 3_000


def test_the_sources_of_modules_are_served_beside_them() -> None:
    for path in sorted(MODULES.glob("*.js")):
        assert path.read_bytes() == assets().by_path[f"source/js/{path.name}"].body


# --- certificates on paper ---
def test_the_module_finds_what_a_paper_has_attached_and_its_digests() -> None:
    file, root = history_file(chain(), FORMS)
    papers = [paper_of(file, root, chain().now, tag) for tag in TAGS]
    others = [file, b"%PDF-1.7", papers[0][: papers[0].index(b"BMWC1")], papers[0].replace(b"BMWC1", b"BMWC2")]
    questions = [{"ask": "attached", "paper": paper.hex()} for paper in [*papers, *others]]
    *found, digests = ask_node([*questions, {"ask": "digests", "file": file.hex()}])
    assert [{"found": file.hex()}] * 3 + [{"found": None}] * 4 == found
    assert {"found": [record["digest"] for record in records()]} == digests


# --- pictures ---
def picture(text: str, kind: str = "png") -> bytes:
    stream = io.BytesIO()
    segno.make_qr(text, error="l").save(stream, kind=kind, scale=3, border=4)
    return stream.getvalue()


def saved(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def bomb(width: int, height: int) -> bytes:
    """The head of a PNG that claims to be so large."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_codes_are_read_from_pictures() -> None:
    two = Image.new("L", (900, 400), 255)
    for place, text in enumerate(("BMW1/1/2:AB", "BMW1/2/2:CD")):
        two.paste(Image.open(io.BytesIO(picture(text))).convert("L"), (20 + 450 * place, 20))
    for kind in ("PNG", "JPEG", "WEBP"):
        assert {"BMW1/1/2:AB", "BMW1/2/2:CD"} == set(json.loads(codes_in(saved(two, kind))))
    turned = Image.open(io.BytesIO(picture("BMW1:0"))).convert("L").rotate(17, expand=True, fillcolor=255)
    assert ["BMW1:0"] == json.loads(codes_in(saved(turned, "PNG")))


def test_what_is_no_picture_of_a_code_has_none() -> None:
    good = picture("BMW1:0")
    side = int(PIXELS_MAX**0.5) + 1
    for given in (
        b"", b"no picture", good[: len(good) // 2], picture("BMW1:0", "svg"), saved(Image.new("L", (50, 50)), "PNG"),
        saved(Image.open(io.BytesIO(good)).convert("L"), "BMP"), bomb(side, side), bomb(2**31 - 1, 2**31 - 1),
        bomb(1, 1), bomb(0, 0),
    ):  # fmt: skip
        assert b"[]" == codes_in(given)
