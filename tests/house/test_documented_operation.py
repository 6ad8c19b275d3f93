"""What operators watch: every metric and every notice stands in the documents, and what stands there is there."""

from __future__ import annotations

import ast
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
from node.cli.init import new_keys, write_home
from node.daemon.config import load_config
from node.daemon.node import Node
from node.log import LEVELS
from node.rpc.app import StartupServer, StartupStatus
from node.rpc.config import RpcConfig

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


# --- metrics ------------------------------------------------------------------------------------------------
async def _pages(folder: Path) -> list[str]:
    """/metrics before a node has a chain, and of one that has, with a certificate: all that is ever served."""
    startup = StartupServer(RpcConfig(port=0), lambda: StartupStatus(0))
    await startup.start()
    try:
        async with aiohttp.ClientSession() as http, http.get(f"{startup.url}/metrics") as answer:
            before = await answer.text()
    finally:
        await startup.stop()
    home = write_home(folder / "home", dev_genesis(), new_keys(), {"node.verify_workers": 0})
    certificate, key = a_certificate(folder)
    node = Node(home, load_config(home.config, {}, {}), allow_dev_keys=True)
    try:
        async with serving(node.backend, tls_certificate=certificate, tls_key=key) as (_, server, _):
            trusted = ssl.create_default_context(cafile=certificate)
            url = f"https://localhost:{server.port}/metrics"
            async with aiohttp.ClientSession() as http, http.get(url, ssl=trusted) as answer:
                assert 200 == answer.status
                return [before, await answer.text()]
    finally:
        await node.stop()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return asyncio.run(_pages(tmp_path_factory.mktemp("metrics")))


def _served(pages: list[str]) -> set[str]:
    """Also those that have no sample yet, as requests by route before the first one."""
    return {line.split(" ")[2] for page in pages for line in page.splitlines() if line.startswith("# TYPE ")}


def test_every_metric_that_the_documents_name_is_served(pages: list[str]) -> None:
    named = {path.name: set(re.findall(r"\bbmw_(?!web_)[a-z0-9_]+", path.read_text())) for path in DOCUMENTS}

    assert {name: found - _served(pages) for name, found in named.items() if found - _served(pages)} == {}
    assert len(named["OPERATING_REFERENCE.md"]) > 30


def test_every_metric_that_is_served_is_documented(pages: list[str]) -> None:
    text = (ROOT / "docs" / "OPERATING_REFERENCE.md").read_text()

    assert [name for name in sorted(_served(pages)) if not re.search(rf"\b{name}\b", text)] == []


def test_every_kind_of_memory_is_documented(pages: list[str]) -> None:
    kinds = {labels for name, labels in prometheus(pages[-1]) if name == "bmw_memory_bytes"}
    text = (ROOT / "docs" / "OPERATING_REFERENCE.md").read_text()

    assert kinds and [kind for kind in kinds if f"`{kind[6:-1]}`" not in text] == []


# --- notices -------------------------------------------------------------------------------------------------
OTHERS = {
    "SIGNER.md": ("node/cli/signer.py", "node/daemon/signer.py"),
    "CERTIFICATES.md": ("node/cli/audit_witness.py", "node/audit/witness.py", "node/audit/witness_server.py"),
    "PAGES.md": tuple(str(path.relative_to(ROOT)) for path in sorted((ROOT / "web").rglob("*.py"))),
}
"""What the processes of a signer, of a witness and of the pages log; all else is the node's."""


def _notices(document: str) -> set[tuple[str, str]]:
    """(name, level) of everything that is logged by what a document is about; an empty level where it is computed."""
    found, of_others = set(), {name: [ROOT / file for file in files] for name, files in OTHERS.items()}
    for path in sorted([*(ROOT / "node").rglob("*.py"), *(ROOT / "web").rglob("*.py")]):
        owner = next((name for name, files in of_others.items() if path in files), "OPERATING_REFERENCE.md")
        if owner != document:
            continue
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name not in ("log", "notice", "_notice"):
                continue
            if ast.unparse(call.args[0]) in ("name", "LEVELS[level]"):
                continue  # passed on: it was named elsewhere
            event, level = (arg.value if isinstance(arg, ast.Constant) else "" for arg in call.args[:2])
            assert event, f"{path}:{call.lineno}: the name is not a literal"
            found.add((str(event), str(level)))
    return found


def _documented(name: str) -> set[tuple[str, str]]:
    """(name, level) of every row of a document's tables of notices."""
    found, text = set(), (ROOT / "docs" / name).read_text()
    for table in re.findall(r"^\| notice \| level \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE):
        for row in table.splitlines():
            _, names, levels, *_ = row.split("|")
            found |= {(n, level) for n in re.findall(r"`([a-z_]+)`", names) for level in levels.strip().split(", ")}
    return found


@pytest.mark.parametrize("document", ["OPERATING_REFERENCE.md", *OTHERS])
def test_the_tables_of_notices_are_those_of_the_code(document: str) -> None:
    told, named = _notices(document), _documented(document)

    assert {level for _, level in named} <= set(LEVELS)
    assert {event for event, _ in told} == {event for event, _ in named}
    assert {(event, level) for event, level in told if level} <= named
