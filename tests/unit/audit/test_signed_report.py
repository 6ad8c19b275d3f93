"""The audit report: its figures, its signature, its page."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace
from support.chain import Chain, address
from support.commands import run
from support.late_chain import LateChain
from support.life import Life
from support.sources import ChainSource
from support.stores import archive_of, life_store
from support.vectors import story

from node.audit.divergence import Diverged
from node.audit.signed_report import svg
from node.audit.signed_report.figures import _binned, _shares
from node.audit.signed_report.page import POLICY, page_name, render_page
from node.audit.signed_report.signed import SignedReport, canonical, read_report
from node.audit.signed_report.words import CODES, LANGUAGES, WORDS, Language, Tag
from node.audit.signed_report.write import make_report, write_report
from node.audit.sources import ArchiveSource, StoreSource
from node.chain.genesis import genesis_to_json
from node.crypto.addresses import address_of, to_text
from node.crypto.dev_keys import dev_key
from node.crypto.keyfile import node_key_file, seal_key
from node.errors import Malformed, OperatorError
from node.rules.disputes import DISPUTE_OUTCOMES
from node.rules.odometer import Verdict
from node.txtypes.vehicle.vehicle import VEHICLE, Existence

KEY = dev_key("account", "auditor-1")


def report_of(chain: Chain, to: int | None = None) -> SignedReport:
    return make_report(chain.genesis, ChainSource(chain), to or chain.store.height(), KEY)


@cache
def of_story() -> SignedReport:
    return report_of(story().chain)


# --- figures ---------------------------------------------------------------------------------------------------
def counts(ranked: list[dict[str, Any]]) -> dict[str, int]:
    return {entry["code"]: entry["count"] for entry in ranked}


def test_the_figures_of_the_story_are_what_the_story_was() -> None:
    chain, figures = story().chain, of_story().report
    head = chain.store.head()
    assert (head.height, head.state_root.hex()) == (figures["chain"]["height"], figures["chain"]["state_root"])
    assert len(story().played) == figures["transactions"]["count"]
    vehicles = [vehicle for _, vehicle in chain.store.values(VEHICLE)]
    assert sum(vehicle.record_count for vehicle in vehicles) == figures["records"]["count"]
    assert len(vehicles) == figures["vehicles"]["count"] == sum(counts(figures["vehicles"]["verdicts"]).values())
    assert figures["records"]["count"] == sum(sum(counts(b["types"]).values()) for b in figures["records"]["bins"])
    assert {"annulled": 5, "stands": 1, "undecided": 1, "withdrawn": 1} == counts(figures["disputes"]["outcomes"])
    [first, *_] = figures["disputes"]["authors"]
    assert ("workshop-hamburg", {"annulled": 5}) == (first["name"], counts(first["outcomes"]))
    [worst, *_] = figures["conduct"]
    assert ("workshop-hamburg", 5, 5) == (worst["name"], worst["annulled"], worst["unanswered"])
    assert worst["hold_until"] > figures["chain"]["time"]


def test_rounds_uptime_and_missed_proposals() -> None:
    """Heights 3 and 4 were decided in round 2, without the last validator; the head has no certificate yet."""
    chain = LateChain()
    for _ in range(5):
        chain.produce()
    figures, validators = report_of(chain).report, chain.store.head().validators
    assert [{"round": 0, "blocks": 2}, {"round": 2, "blocks": 2}] == figures["blocks"]["rounds"]
    assert [0, 0, 1, 1, 0] == [period["late"] for period in figures["blocks"]["periods"]]
    shares = [period["power_signed_per_mille"] for period in figures["blocks"]["periods"]]
    assert [1000, 1000, 750, 750, None] == shares
    absent = to_text(validators.entries[-1].address)
    by_address = {entry["address"]: entry for entry in figures["validators"]}
    assert (4, 2, 500, [1000, 1000, 0, 0, None]) == tuple(
        by_address[absent][name] for name in ("blocks", "signed", "uptime_per_mille", "periods")
    )
    missed = [to_text(validators.proposer(height, round_)) for height in (3, 4) for round_ in (0, 1)]
    assert {a: missed.count(a) for a in by_address} == {a: e["missed_proposals"] for a, e in by_address.items()}
    assert 5 == sum(entry["proposed"] for entry in figures["validators"])
    assert {"p50": 1000, "p99": 1000, "max": 1000} == figures["blocks"]["interval_ms"]


def test_concentration() -> None:
    """Shares of 50, 30 and 20 %: one has more than a third, two more than two thirds; 2500 + 900 + 400."""
    found = _shares([20, 50, 30])
    assert (3, 1, 2, 500, 3800) == tuple(
        found[name] for name in ("count", "more_than_a_third", "more_than_two_thirds", "largest_per_mille", "hhi")
    )
    assert [500, 800, 1000] == found["sums_per_mille"]
    equal = _shares([10] * 3)
    assert (2, 3) == (equal["more_than_a_third"], equal["more_than_two_thirds"]), "a third is not more than a third"
    assert (0, 0, 0) == tuple(_shares([])[name] for name in ("count", "more_than_a_third", "hhi"))


@pytest.mark.parametrize(
    ("last", "unit", "bins", "start"),
    [(0, "day", 1, "2026-01-01"), (39, "day", 40, "2026-01-01"), (40, "week", 7, "2025-12-29"),
     (400, "month", 14, "2026-01-01")],
)  # fmt: skip
def test_records_are_counted_by_day_week_or_month(last: int, unit: str, bins: int, start: str) -> None:
    first = 20_454  # 2026-01-01, a Thursday
    found = _binned(Counter({(first, "a"): 2, (first + last, "b"): 1}))
    assert (unit, bins, start) == (found[0], len(found[1]), found[1][0]["from"])
    assert 3 == sum(entry["count"] for entry_of in found[1] for entry in entry_of["types"])


# --- bytes and signature -----------------------------------------------------------------------------------------
def test_the_same_chain_and_key_give_the_same_bytes_from_any_source(tmp_path: Path) -> None:
    store = life_store(tmp_path / "life")
    genesis = Life(Chain()).chain.genesis
    contents = []
    for source in (StoreSource(store), ArchiveSource(archive_of(store, tmp_path / "a.bmw", tmp_path / "scratch"))):
        signed = make_report(genesis, source, source.last, KEY)
        source.close()
        write_report(signed, tmp_path / "out")
        contents.append({path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()})
    assert contents[0] == contents[1]
    assert {"report.json", *map(page_name, LANGUAGES)} == set(contents[0])


def test_a_signed_report_is_read_and_any_change_of_it_is_refused() -> None:
    raw = of_story().to_bytes()
    assert of_story() == read_report(raw)
    assert to_text(address_of(KEY.public)) == read_report(raw).signer
    chance, refused = random.Random(5), 0
    for _ in range(300):
        place = chance.randrange(len(raw))
        changed = raw[:place] + bytes([chance.randrange(32, 127)]) + raw[place + 1 :]
        try:
            found = read_report(changed)
        except Malformed:
            refused += 1
        else:
            assert canonical(found.report) == canonical(of_story().report), f"byte {place} is not covered"
    assert refused > 200
    document = json.loads(raw)
    document["report"]["vehicles"]["count"] += 1
    with pytest.raises(Malformed, match="the signature does not verify"):
        read_report(json.dumps(document).encode())
    for bad in (b"", b"[]", b"{}", b'{"report": {"a": 1.5}, "signature": {}}', b"\xff", b"[" * 100_000):
        with pytest.raises(Malformed):
            read_report(bad)


def test_the_canonical_form_is_that_of_rfc_8785() -> None:
    assert '{"a":[1,"ü\\n"],"b":{"c":null,"d":true}}'.encode() == canonical(
        {"b": {"d": True, "c": None}, "a": [1, "ü\n"]}
    )


def test_the_commands(tmp_path: Path) -> None:
    """A wallet's key with its passphrase, and a plain one; who has to be the signer; a chain that is not valid."""
    chain = Chain()
    for _ in range(3):
        chain.produce()
    store = life_store(tmp_path / "life")
    (tmp_path / "genesis.json").write_text(genesis_to_json(chain.genesis))
    (tmp_path / "sealed.json").write_bytes(seal_key(KEY, "auditor", "secret", bytes(32), bytes(12), n=2))
    (tmp_path / "plain.json").write_bytes(node_key_file(KEY))
    arguments = ("report", "--store", store, "--genesis", tmp_path / "genesis.json")
    for name, passphrase in (("sealed", "secret"), ("plain", "")):
        done = run("bmw-audit", *arguments, "--key", tmp_path / f"{name}.json", tmp_path / name,
                   BMW_AUDIT_PASSPHRASE=passphrase)  # fmt: skip
        assert 0 == done.code, done.err
    sealed, plain = ((tmp_path / name / "report.json").read_bytes() for name in ("sealed", "plain"))
    assert sealed == plain
    wrong = run("bmw-audit", *arguments, "--key", tmp_path / "sealed.json", tmp_path / "x", BMW_AUDIT_PASSPHRASE="no")
    assert (3, False) == (wrong.code, (tmp_path / "x").exists())
    signer, other = to_text(address_of(KEY.public)), to_text(address("bmw"))
    verify = ("verify-report", tmp_path / "sealed" / "report.json")
    assert "verifies" in run("bmw-audit", *verify, "--signer", signer).out
    refused = run("bmw-audit", *verify, "--signer", other)
    assert (1, True) == (refused.code, f"is signed by {signer}, not by {other}" in refused.err)


def test_a_chain_that_is_not_valid_has_no_report() -> None:
    chain = Chain()
    chain.produce()
    committed = chain.store.committed(1)
    assert committed is not None
    header = replace(committed.block.header, time_ms=committed.block.header.time_ms + 1)
    bad = replace(committed, block=replace(committed.block, header=header))
    with pytest.raises(Diverged, match="height 1"):
        make_report(chain.genesis, ChainSource(chain, bad), 1, KEY)
    empty = Chain()
    with pytest.raises(OperatorError, match="no block after 0"):
        make_report(empty.genesis, ChainSource(empty), 0, KEY)


# --- the page ----------------------------------------------------------------------------------------------------
class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("tag", LANGUAGES)
def test_the_page_is_complete_in_itself(tag: Tag) -> None:
    """No script, nothing that is loaded, every plot well-formed and with a name, every section there."""
    text = render_page(of_story(), tag)
    tags = Tags(text).found
    assert {"script", "link", "img", "iframe", "object", "form", "base"} & {name for name, _ in tags} == set()
    assert not [name for name, attributes in tags for key in attributes if key == "src" or key.startswith("on")]
    links = {attributes["href"] for name, attributes in tags if name == "a"}
    pages = {page_name(other) for other in LANGUAGES if other != tag}
    sections = {f"#{attributes['id']}" for name, attributes in tags if name == "section"}
    assert pages | sections == links and len(sections) == 8
    assert POLICY in text and f'<html lang="{tag}">' in text
    assert "://" not in text and "url(" not in text and "@import" not in text
    plots = re.findall(r"<svg .*?</svg>", text, re.DOTALL)
    for plot in plots:
        ElementTree.fromstring(plot)
    named = [plot for plot in plots if 'role="img"' in plot]
    assert len(named) >= 20 and all(re.search(r'aria-label="[^"]+"', plot) for plot in named)
    assert of_story().digest in text and of_story().signature.hex() in text


def test_no_label_leaves_its_plot() -> None:
    """By the widths that the plots reckon with, at both widths of the page, in every language."""
    for tag in LANGUAGES:
        for plot in re.findall(r"<svg .*?</svg>", render_page(of_story(), tag), re.DOTALL):
            element = ElementTree.fromstring(plot)
            width = float(element.attrib.get("width", "0"))
            for label in element.iter("text"):
                size = svg.LABEL if label.get("class") == "label" else svg.FONT
                long, x = svg.text_width(label.text or "", size), float(label.attrib["x"])
                start = {"start": x, "middle": x - long / 2, "end": x - long}[label.get("text-anchor", "start")]
                assert start >= -1 and start + long <= width + 25, (tag, label.text, start, start + long, width)


def test_a_page_of_a_chain_with_hardly_anything_on_it() -> None:
    chain = Chain()
    chain.produce()
    for tag in LANGUAGES:
        text = render_page(report_of(chain), tag)
        assert Language(tag).word("nothing") in text


def test_names_are_escaped() -> None:
    report = json.loads(json.dumps(of_story().report))
    report["chain"]["chain_id"] = '<script>alert("1")</script>'
    report["validators"][0]["name"] = report["disputes"]["authors"][0]["name"] = "<b>&</b>"
    text = render_page(of_story()._replace(report=report), "en")
    assert "<script" not in text and "<b>&" not in text and "&lt;b&gt;&amp;&lt;/b&gt;" in text


def test_every_word_and_code_has_three_languages() -> None:
    for name, texts in {**WORDS, **CODES}.items():
        assert all(text == text.strip() and text for text in texts), name
        assert len({text.count("{}") for text in texts}) == 1, name
        assert not re.search(r"[一-鿿]", texts.en + texts.de), name
        assert re.search(r"[一-鿿]", texts.zh) or name in ("p50", "p99"), name
    for outcome in (*DISPUTE_OUTCOMES, "open", "withdrawn"):
        for tag in LANGUAGES:
            assert Language(tag).code(outcome, "dispute_outcomes") != outcome or tag == "en"
    for code in (*get_args(Existence), *get_args(Verdict)):
        assert code in CODES


@pytest.mark.parametrize(
    ("ms", "en", "de", "zh"),
    [(7, "7 ms", "7 ms", "7毫秒"), (999, "999 ms", "999 ms", "999毫秒"), (1_000, "1 s", "1 s", "1秒"),
     (1_250, "1.2 s", "1,2 s", "1.2秒"), (90_000, "1.5 min", "1,5 min", "1.5分"), (86_400_000, "24 h", "24 h", "24时"),
     (864_000_000, "10 d", "10 T", "10天"), (86_400_000_000, "1000 d", "1000 T", "1000天")],
)  # fmt: skip
def test_durations(ms: int, en: str, de: str, zh: str) -> None:
    assert [en, de, zh] == [Language(tag).duration(ms) for tag in LANGUAGES]


def test_numbers_and_shares() -> None:
    assert ["1,234,567", "1.234.567", "1,234,567"] == [Language(tag).number(1_234_567) for tag in LANGUAGES]
    assert ["97.5 %", "97,5 %", "97.5%"] == [Language(tag).share(975) for tag in LANGUAGES]


@pytest.mark.parametrize(
    ("top", "wanted"),
    [(0, [0, 1]), (3, [0, 1, 2, 3]), (14, [0, 5, 10, 15]), (100, [0, 50, 100]), (2356, [0, 1000, 2000, 3000])],
)
def test_ticks(top: int, wanted: list[float]) -> None:
    assert wanted == svg.ticks(top)


def test_ticks_of_durations_enclose_the_values() -> None:
    assert [500, 1_000, 2_000, 5_000, 10_000] == svg.duration_ticks(900, 7_000)
    assert (500, 2_000) == (svg.duration_ticks(1_000, 1_000)[0], svg.duration_ticks(1_000, 1_000)[-1])
    assert 86_400_000_000 == svg.duration_ticks(1, 10**15)[-1]
