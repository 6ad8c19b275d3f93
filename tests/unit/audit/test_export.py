"""Export: the same tables from every source, byte for byte; nothing of a chain that is not valid."""

from __future__ import annotations

import contextlib
import csv
import doctest
import io
import json
import re
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as parquet
import pytest
from msgspec.structs import replace
from support.chain import Chain, address
from support.documented import ROOT, missing_lines
from support.life import Life, maintenance
from support.memory_store import MemoryStore
from support.sources import ChainSource
from support.stores import archive_of, life_store
from support.vectors import story
from support.wallet_node import wallet_node

from node.audit import export as module
from node.audit.divergence import Diverged
from node.audit.export import FORMATS, ParquetFiles, export
from node.audit.node_source import NodeSource
from node.audit.sources import ArchiveSource, BlockSource, StoreSource
from node.audit.tables.model import BLOCKS, TABLES
from node.audit.tables.table import Cell
from node.chain.block import decode_committed
from node.chain.genesis import Continues
from node.crypto.addresses import to_text
from node.errors import OperatorError
from node.ledger.json_form import time_to_text
from node.storage.state_import import import_predecessor


def exported(chain: Chain, folder: Path, kind: str = "csv", source: BlockSource | None = None) -> Path:
    source = source or ChainSource(chain)
    export(chain.genesis, source, folder, kind, source.last)
    source.close()
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def csv_rows(folder: Path, name: str) -> list[list[str]]:
    return list(csv.reader((folder / f"{name}.csv").read_text("utf-8").splitlines()))[1:]


def test_a_store_an_archive_and_a_live_node_give_the_same_bytes(tmp_path: Path) -> None:
    store = life_store(tmp_path / "life")
    archive = archive_of(store, tmp_path / "a.bmw", tmp_path / "scratch")
    chain = Life(Chain()).chain
    from_store = content(exported(chain, tmp_path / "1", source=StoreSource(store)))
    assert from_store == content(exported(chain, tmp_path / "2", source=ArchiveSource(archive)))
    live = Chain(chain.genesis)
    source = ArchiveSource(archive)
    for _, raw in source.blocks(1, source.last):
        committed = decode_committed(raw)
        live.store.commit_block(committed.block, live.judge(committed.block), committed.commit)
        live.now = committed.block.header.time_ms + 1_000
    with wallet_node(live) as node:
        assert from_store == content(exported(chain, tmp_path / "3", source=NodeSource(node.url)))
    assert len(from_store) == len(TABLES) + 1


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_chain_gives_the_same_bytes(kind: str, tmp_path: Path) -> None:
    first, second = (content(exported(story().chain, tmp_path / name, kind)) for name in ("1", "2"))
    assert first == second
    manifest = json.loads(first["export.json"])
    assert (story().chain.store.height(), kind) == (manifest["height"], manifest["format"])
    assert manifest["state_root"] == story().chain.store.head().state_root.hex()


def test_parquet_has_what_csv_has(tmp_path: Path) -> None:
    plain, columnar = (exported(story().chain, tmp_path / kind, kind) for kind in ("csv", "parquet"))

    def text(cell: Cell | datetime) -> str:
        if isinstance(cell, datetime):
            return time_to_text(round(cell.timestamp() * 1_000))
        if isinstance(cell, bool):
            return str(cell).lower()
        if isinstance(cell, list):
            return json.dumps(cell, ensure_ascii=False, separators=(",", ":"))
        return "" if cell is None else str(cell)

    for name in TABLES:
        rows = parquet.read_table(columnar / f"{name}.parquet").to_pylist()
        assert csv_rows(plain, name) == [[text(cell) for cell in row.values()] for row in rows], name


def test_rows_that_wait_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest table is written first; the order of its rows stays."""
    monkeypatch.setattr(module, "ROWS_BUFFERED", 100)
    (tmp_path / "p").mkdir()
    files = ParquetFiles(tmp_path / "p")
    row = ("x", 0, "y", 0, 0, 0, 0, 4, 40, "r", "h")
    for height in range(1_050):
        files.add(BLOCKS, (height, *row))
        assert files._waiting < 100
    files.close()
    found = parquet.ParquetFile(tmp_path / "p" / "blocks.parquet")
    assert 11 == found.num_row_groups
    assert list(range(1_050)) == found.read().column("height").to_pylist()
    found.close()


def test_a_chain_that_is_not_valid_leaves_no_folder(tmp_path: Path) -> None:
    chain = Chain()
    chain.produce()
    chain.produce()
    committed = chain.store.committed(2)
    assert committed is not None
    header = replace(committed.block.header, state_root=bytes(32))
    bad = replace(committed, block=replace(committed.block, header=header))
    with pytest.raises(Diverged, match="height 2"):
        exported(chain, tmp_path / "bad", source=ChainSource(chain, bad))
    assert [] == list(tmp_path.iterdir())
    exported(chain, tmp_path / "good")
    with pytest.raises(OperatorError, match="exists: name a folder that does not"):
        exported(chain, tmp_path / "good")


def test_a_chain_that_continues_another_begins_with_its_state(tmp_path: Path) -> None:
    old = Life(Chain()).to("handed_over").chain
    head, accounts = old.store.head(), {account.name: account for account in old.genesis.accounts}
    genesis = replace(
        old.genesis,
        chain_id="bmw-2",
        time_ms=head.time_ms + 1_000,
        accounts=tuple(accounts[name] for name in ("bmw", "dealer-munich")),
        continues=Continues(old.genesis_hash, head.height, head.block_id, head.state_root),
    )
    kv = MemoryStore()
    import_predecessor(kv, genesis, old.store.kv, old.genesis.tree_depth)
    new = Chain(genesis, kv)
    new.do("workshop-berlin", maintenance(new, 9_000))

    class Continued(ChainSource):
        def __init__(self) -> None:
            super().__init__(new)
            self.first = head.height + 1

    older = ((old.genesis, ChainSource(old)),)
    export(genesis, Continued(), tmp_path / "new", "csv", new.store.height(), older)
    [block] = csv_rows(tmp_path / "new", "blocks")
    assert str(head.height + 1) == block[0]
    [vehicle] = csv_rows(tmp_path / "new", "vehicles")
    assert to_text(address("bmw")) in vehicle
    with pytest.raises(OperatorError, match="name its store, archive or node with --predecessor"):
        export(genesis, Continued(), tmp_path / "none", "csv", new.store.height())
    with pytest.raises(OperatorError, match=f"begins after block {head.height}"):
        export(genesis, Continued(), tmp_path / "early", "csv", 5, older)
    with pytest.raises(OperatorError, match="continues no other chain"):
        export(old.genesis, ChainSource(old), tmp_path / "much", "csv", 1, older)


def test_the_session_of_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is run over the chain of the vectors, and prints what the document shows."""
    text = (ROOT / "docs" / "AUDITING.md").read_text("utf-8")
    [session] = re.findall(r"```pycon\n(.*?)```", text, re.DOTALL)
    exported(story().chain, tmp_path / "tables", "parquet")
    monkeypatch.chdir(tmp_path)
    names = {"duckdb": duckdb}
    examples = doctest.DocTestParser().get_examples(session)
    assert len(examples) >= 5
    for example in examples:
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            exec(compile(example.source, "AUDITING.md", "single"), names)
        missing = missing_lines(tuple(example.want.splitlines()), shown.getvalue())
        assert missing == [], f"{example.source}\nprints:\n{shown.getvalue()}"
