"""The badge of a car's page, before nodes and servers that lie."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Route
from support.browsing import Looking
from support.chain import DAY_MS, HOUR_MS
from support.life import maintenance
from support.lying import Answer, LyingNode, today
from support.stages import fork
from support.verifying import CAR, CERTIFICATE, HISTORY, badge, certificate, history

from node.certificates.build import Certificates, packed
from node.ledger.json_form import to_json
from node.txtypes.sale.listing import LISTING
from web.digests import state_digest

pytestmark = pytest.mark.network


def test_what_is_true_is_green(window: Looking, node: LyingNode) -> None:
    """With few requests, none of them for a certificate."""
    asked: list[str] = []
    window.page.on("request", lambda request: asked.append(request.url.removeprefix(window.base)))
    state, code, sentence = badge(window)
    assert len(asked) <= 8 and CERTIFICATE not in [path.partition("?")[0] for path in asked], asked
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
    """It is asked for where the page does not show every record. One of another car or of none, a damaged one, an empty
    file: none makes the badge green."""
    node.lie = in_list(lambda records: records.pop())
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
    old, records = certificate(node), len(history(node))
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
    count, digest = f'data-record-count="{len(history(node))}"', history(node)[0]["digest"]

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
