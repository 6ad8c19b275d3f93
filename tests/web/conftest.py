"""The network of the story, and the pages over it: one of each for all tests of a worker; a browser for each module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser
from support.browsing import MISSING, Served, browsing, serving_pages
from support.javascript.asking import chromium
from support.processes import running_network

from node.cli.local_network import LocalNetwork
from node.cli.story import Story


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
        tmp_path_factory.mktemp("serve") / "home", played.genesis, played.urls, "--tier", "open"
    ) as served:
        yield served


@pytest.fixture(scope="session")
def showroom(played: Played, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The pages in the tier `showroom`."""
    with serving_pages(tmp_path_factory.mktemp("showroom") / "home", played.genesis, played.urls) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for each module: while it is there, Playwright's loop runs in this thread, and no other one can."""
    if chromium() is None:
        pytest.skip(MISSING)
    with browsing() as found:
        yield found
