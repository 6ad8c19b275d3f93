"""Pages over nodes that are dead, foreign, behind, silent, or that answer nonsense: each has a page that says so."""

from __future__ import annotations

import json
import random
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError

import pytest
from support.browsing import Served, serving_pages
from support.chain import Chain, address
from support.life import VIN, maintenance
from support.lying import Answer, LyingNode, lying, places, today, with_place
from support.processes import wait_for
from support.shown_cars import genesis_file
from support.stages import fork

from node.crypto.addresses import to_text
from web.directory import ENTRIES_MAX
from web.nodes import ANSWER_BYTES_MAX
from web.words import CATALOGUE

pytestmark = pytest.mark.network
HANG_S = 12
"""More than a page may take, whatever its node does."""
MUTATED = 300


class Behind(NamedTuple):
    """Pages in the tier `open` over a node. `paths`: of its pages, each asks the node for something else."""

    node: LyingNode
    served: Served
    paths: list[str]


@pytest.fixture(scope="module")
def behind(liar: LyingNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder, life = tmp_path_factory.mktemp("faults"), today()
    account = to_text(address("dealer-munich"))
    paths = [
        f"/car/{VIN}", f"/car/{VIN}/sale", f"/car/{VIN}/certificate.pdf", f"/car/{VIN}/code.svg", f"/verify/{VIN}",
        f"/listing/{life.listing.hex()}", f"/order/{life.order.hex()}", f"/tx/{life.order.hex()}",
        f"/account/{account}", "/block/3", "/member/dealer-munich", "/explorer", "/validators", "/members", "/service",
    ]  # fmt: skip
    with serving_pages(
        folder / "home", genesis_file(liar.chain, folder), [liar.url], tier="open", node_seconds_max=1,
        node_requests_per_second=5_000,
    ) as served:  # fmt: skip
        wait_for(lambda: page(served, "/cars")[0] == 200, what="the pages")
        yield Behind(liar, served, paths)


def page(served: Served, path: str, language: str = "en") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{served.url}/{language}{path}", timeout=HANG_S) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")


def said(key: str) -> str:
    return CATALOGUE[f"error.{key}_title"].en


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


FAULTS: dict[str, tuple[Answer, int, str]] = {
    "HTML": (Answer(200, b"<!doctype html><h1>It works!</h1>"), 502, "unreadable"),
    "nothing": (Answer(200, b""), 502, "unreadable"),
    "bytes": (Answer(200, bytes(range(256))), 502, "unreadable"),
    "another document": (Answer(200, {"a": [1]}), 502, "unreadable"),
    "a list": (Answer(200, []), 502, "unreadable"),
    "null": (Answer(200, None), 502, "unreadable"),
    "much within each other": (Answer(200, nested(100_000)), 502, "unreadable"),
    "more than there is room for": (Answer(200, b'"' + b" " * ANSWER_BYTES_MAX + b'"'), 502, "unreadable"),
    "a redirection to itself": (Answer(302, {}, {"Location": "/v1/status"}), 502, "unreadable"),
    "a fault without a document": (Answer(500, b"<h1>500</h1>"), 502, "refused"),
    "a fault with another document": (Answer(503, {"code": {"a": 1}}), 502, "refused"),
    "too many requests": (Answer(429, {"code": "too_many_requests"}), 503, "overloaded"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_nonsense_gives_a_page_that_says_so(behind: Behind, node: LyingNode, name: str) -> None:
    answer, status, key = FAULTS[name]
    node.lie = lambda path, document: document if path == "/v1/status" else answer
    found, html = page(behind.served, f"/car/{VIN}")
    assert (status, True) == (found, said(key) in html)
    for path in random.Random(name).sample(behind.paths, 4):
        found, html = page(behind.served, path)
        assert found in (200, 404, 502, 503, 504), f"{path}: {found}"  # 200: what was read before is kept for a while
        assert found == 200 or "<html" in html, path


def test_no_value_of_an_answer_breaks_a_page(behind: Behind, node: LyingNode) -> None:
    """One value after the other is of another type, or absurd."""
    draw, odd = (
        random.Random(3),
        [None, -1, 10**30, 1.5, "", "\u0000<b>", [], {}, True, "9" * 500, [[]], "bmw1" + "q" * 38],
    )
    statuses = set()

    def lie(path: str, document: Any) -> Any:
        if path == "/v1/status" or draw.random() < 0.4:
            return document
        return with_place(document, draw.choice(list(places(document)) or [()]), draw.choice(odd))

    node.lie = lie
    for number in range(MUTATED):
        path = behind.paths[number % len(behind.paths)]
        status = page(behind.served, path)[0]
        assert status in (200, 400, 403, 404, 502, 503, 504), f"{path}: {status}"
        statuses.add(status)
    assert {200, 502} <= statuses


def test_rows_are_kept_up_whatever_the_node_has_said(behind: Behind, node: LyingNode) -> None:
    node.lie = lambda path, document: Answer(200, {"entries": 1}) if path == "/v1/state" else document
    assert 200 == page(behind.served, "/cars")[0], "the search needs no node"
    node.lie = lambda path, document: document
    wait_for(lambda: page(behind.served, f"/car/{VIN}")[0] == 200, what="the car")


def test_a_silent_node_costs_a_page_its_time_and_no_more(behind: Behind, node: LyingNode) -> None:
    node.hangs = lambda path: path != "/v1/status"
    with ThreadPoolExecutor(len(behind.paths)) as threads:
        found = dict(zip(behind.paths, threads.map(lambda path: page(behind.served, path), behind.paths), strict=True))
    assert (True, True) == (found[f"/car/{VIN}"][0] in (502, 504), "<html" in found[f"/car/{VIN}"][1])
    assert {status for status, _ in found.values()} <= {200, 502, 504}
    assert 200 == page(behind.served, "/cars")[0]


def test_the_next_node_is_asked_in_the_place_of_a_silent_one(liar: LyingNode, node: LyingNode, tmp_path: Path) -> None:
    with lying(fork(liar.chain)) as other:
        node.hangs = lambda path: path != "/v1/status"
        with serving_pages(
            tmp_path / "home", genesis_file(liar.chain, tmp_path), [node.url, other.url], node_seconds_max=2
        ) as served:
            assert 200 == page(served, f"/car/{VIN}/sale")[0]
        node.hangs = lambda path: False


def test_a_node_that_is_behind_is_asked_only_where_no_other_is(liar: LyingNode, tmp_path: Path) -> None:
    newer = fork(liar.chain)
    for _ in range(7):
        newer.do("workshop-berlin", maintenance(newer, 9_000))
    with (
        lying(fork(liar.chain)) as older, lying(newer) as other,
        serving_pages(tmp_path / "home", genesis_file(newer, tmp_path), [older.url, other.url], tier="open") as served,
    ):  # fmt: skip
        assert f"/block/{newer.store.height()}" in page(served, "/explorer")[1]
        assert (0, True) == (older.asked, other.asked > 0)


def test_a_node_of_another_chain_is_never_asked(liar: LyingNode, tmp_path: Path) -> None:
    with (
        lying(fork(liar.chain)) as foreign,
        serving_pages(tmp_path / "home", genesis_file(Chain(), tmp_path), [foreign.url]) as served,
    ):
        for path in (f"/car/{VIN}", "/explorer", "/members"):
            status, html = page(served, path)
            assert (502, True) == (status, said("unreachable") in html)
        assert 200 == page(served, "/cars")[0]
        assert "it is of another chain" in served.log.read_text()
        assert 0 == foreign.asked


def test_members_beyond_those_that_are_read_are_spoken_of(liar: LyingNode, node: LyingNode, tmp_path: Path) -> None:
    def lie(path: str, document: Any) -> Any:
        if path == "/v1/members":
            return Answer(200, listed)
        return document

    with urllib.request.urlopen(node.url + "/v1/members?limit=1") as answer:
        found = json.load(answer)
    listed = {**found, "members": found["members"] * 500, "cursor": "there-is-more"}
    node.lie = lie
    with serving_pages(tmp_path / "home", genesis_file(liar.chain, tmp_path), [node.url], tier="open") as served:
        status, html = page(served, "/members")
        assert (200, True) == (status, CATALOGUE["members.cut"].en.format(count=f"{ENTRIES_MAX:,}") in html)
        assert 200 == page(served, f"/member/{to_text(address('bmw'))}")[0], "found by its address"


def test_no_node_at_all(liar: LyingNode, tmp_path: Path) -> None:
    with serving_pages(tmp_path / "home", genesis_file(liar.chain, tmp_path), ["http://127.0.0.1:9"]) as served:
        for language in ("en", "de", "zh"):
            status, html = page(served, f"/car/{VIN}", language)
            assert 502 == status
            assert getattr(CATALOGUE["error.unreachable_title"], language) in html
        for path in ("/cars", "/verify"):
            assert 200 == page(served, path)[0]
