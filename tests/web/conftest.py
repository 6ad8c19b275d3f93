"""The network of the story, and the pages over it: one of each for all tests of a worker; a browser for each module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser
from support.browsing import MISSING, Looking, Served, browsing, looking, serving_pages
from support.javascript.asking import chromium
from support.lying import LyingNode, lying, today
from support.processes import running_network

from node.chain.genesis import genesis_to_json
from node.cli.local_network import LocalNetwork
from node.cli.story import Story

MANY = 5_000
"""Requests per second that reach the nodes: tests ask faster than people do."""


class Played(NamedTuple):
    """A network on which the story has been played. `told`: what the story knows of its values."""

    network: LocalNetwork
    genesis: Path
    told: Any

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.network.nodes]


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("web")
    with running_network(folder / "network") as network:
        told = Story(network).play()
        yield Played(network, network.nodes[0].home.path / "genesis.json", told)


@pytest.fixture(scope="session")
def pages(played: Played, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The pages in the tier `open`."""
    with serving_pages(
        tmp_path_factory.mktemp("serve") / "home", played.genesis, played.urls, tier="open",
        node_requests_per_second=MANY,
    ) as served:  # fmt: skip
        yield served


@pytest.fixture(scope="session")
def showroom(played: Played, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The pages in the tier `showroom`."""
    with serving_pages(tmp_path_factory.mktemp("showroom") / "home", played.genesis, played.urls) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of one module alone: while Playwright runs, this thread has a running event loop, in which the `asyncio.run` of
    other tests fails."""
    if chromium() is None:
        pytest.skip(MISSING)
    with browsing() as found:
        yield found


# --- a node that lies ---
@pytest.fixture(scope="session")
def liar() -> Iterator[LyingNode]:
    """A car's life on a chain of its own, served by a node that can be made to lie."""
    with lying(today(on_sale=True).chain) as node:
        yield node


@pytest.fixture
def node(liar: LyingNode) -> Iterator[LyingNode]:
    """Honest until a test sets `lie`, `swap` or another chain."""
    chain = liar.honest.chain
    yield liar
    liar.lie, liar.swap, liar.hangs = (lambda _, document: document), (lambda _, file: file), (lambda _: False)
    liar.honest.chain = chain


@pytest.fixture(scope="session")
def doubted(liar: LyingNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The pages over it, in the tier `showroom`."""
    folder = tmp_path_factory.mktemp("doubted")
    (folder / "genesis.json").write_text(genesis_to_json(liar.chain.genesis))
    with serving_pages(folder / "home", folder / "genesis.json", [liar.url]) as found:
        yield found


@pytest.fixture
def window(browser: Browser, doubted: Served) -> Iterator[Looking]:
    """A reader who was never here."""
    with looking(browser, doubted.url) as found:
        yield found
