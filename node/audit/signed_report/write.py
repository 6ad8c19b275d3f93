"""An audit report: the figures of a verified chain, signed, and a page of them in each language."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from node.audit.follow import opened
from node.audit.invariants import check_invariants
from node.audit.signed_report.figures import Figures
from node.audit.signed_report.page import page_name, render_page
from node.audit.signed_report.signed import SignedReport, sign_report
from node.audit.signed_report.words import LANGUAGES
from node.audit.sources import BlockSource
from node.chain.genesis import Genesis
from node.crypto.signing import PrivateKey
from node.errors import OperatorError
from node.storage.leveldb import LevelStore, WriteBackStore


def make_report(
    genesis: Genesis,
    source: BlockSource,
    to: int,
    key: PrivateKey,
    older: Sequence[tuple[Genesis, BlockSource]] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> SignedReport:
    """Verify and execute the chain up to height `to`. Raises `Diverged` where it is not valid, `OperatorError` and
    `Corrupted` as the source does."""
    with tempfile.TemporaryDirectory(prefix="bmw-audit-") as scratch:
        kv = WriteBackStore(LevelStore(Path(scratch) / "state", is_temporary=True))
        try:
            follower = opened(genesis, kv, Path(scratch) / "predecessor", older)
            if to <= follower.height:
                raise OperatorError(f"the {source.name} has no block after {follower.height} to report on")
            figures, transactions = Figures(follower.height + 1, to), 0
            for executed in follower.follow(source, to):
                figures.add(executed)
                transactions += len(executed.result.transactions)
                if on_progress is not None:
                    on_progress(executed.result.height, transactions)
            check_invariants(follower.store)
            return sign_report(figures.report(follower.store), key)
        finally:
            kv.close()


def write_report(signed: SignedReport, folder: Path) -> None:
    """`report.json` and a page for each language; files of an earlier report are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_bytes(signed.to_bytes())
    for tag in LANGUAGES:
        (folder / page_name(tag)).write_text(render_page(signed, tag), "utf-8")
