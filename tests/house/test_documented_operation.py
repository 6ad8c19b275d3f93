"""What operators watch: every metric stands in the documents, and what stands there is served."""

from __future__ import annotations

import asyncio
import re
import ssl
from pathlib import Path

import aiohttp
import pytest
from support.backend import serving
from support.certificates import a_certificate
from support.prometheus import prometheus

from node.chain.dev_genesis import dev_genesis
from node.cli.homes import new_keys, write_home
from node.daemon.config import load_config
from node.daemon.node import Node

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


# --- metrics ------------------------------------------------------------------------------------------------
async def _page(folder: Path) -> str:
    """/metrics of a node that has not started, with a certificate: all that a node ever serves."""
    home = write_home(folder / "home", dev_genesis(), new_keys(), {"node.verify_workers": 0})
    certificate, key = a_certificate(folder)
    node = Node(home, load_config(home.config, {}, {}), allow_dev_keys=True)
    try:
        async with serving(node, tls_certificate=certificate, tls_key=key) as (_, server, _):
            trusted = ssl.create_default_context(cafile=certificate)
            url = f"https://localhost:{server.port}/metrics"
            async with aiohttp.ClientSession() as http, http.get(url, ssl=trusted) as answer:
                assert 200 == answer.status
                return await answer.text()
    finally:
        await node.stop()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return asyncio.run(_page(tmp_path_factory.mktemp("metrics")))


def _served(page: str) -> set[str]:
    """Also those that have no sample yet, as requests by route before the first one."""
    return {line.split(" ")[2] for line in page.splitlines() if line.startswith("# TYPE ")}


def test_every_metric_that_the_documents_name_is_served(page: str) -> None:
    named = {path.name: set(re.findall(r"\bbmw_[a-z0-9_]+", path.read_text())) for path in DOCUMENTS}

    assert {name: found - _served(page) for name, found in named.items() if found - _served(page)} == {}
    assert len(named["OPERATING.md"]) > 30


def test_every_metric_that_is_served_is_documented(page: str) -> None:
    text = (ROOT / "docs" / "OPERATING.md").read_text()

    assert [name for name in sorted(_served(page)) if not re.search(rf"\b{name}\b", text)] == []


def test_every_kind_of_memory_is_documented(page: str) -> None:
    kinds = {labels for name, labels in prometheus(page) if name == "bmw_memory_bytes"}
    text = (ROOT / "docs" / "OPERATING.md").read_text()

    assert kinds and [kind for kind in kinds if f"`{kind[6:-1]}`" not in text] == []
