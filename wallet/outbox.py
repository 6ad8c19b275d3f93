"""Outbox: everything that this wallet has signed and some node may still commit.

A node that refuses a transaction, or never answers, may hold its bytes back and commit them later. So a document stays
here until its commit is proven, or until a proven head has passed its expiry; no node's word removes it. A node's
signed receipt outlives the expiry: it proves what the node had.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, get_args

from node.chain.acceptance import Acceptance
from node.errors import OperatorError, Rejected
from node.ledger.json_form import from_json
from wallet.files import write_file
from wallet.txfile import TxDocument, read_documents

How = Literal["sent", "checked", "written"]
"""Submitted to a node; shown to a node by --dry-run; written to a file, which anybody who has it can submit."""

HOWS: Final[tuple[How, ...]] = get_args(How)


def _name(txids: list[bytes]) -> str:
    """The name of the file about some transactions."""
    return (txids[0] if len(txids) == 1 else sha256(b"".join(txids)).digest()).hex()


@dataclass
class Kept:
    """One transaction, and how its signed bytes have left the wallet."""

    document: TxDocument
    hows: list[How] = field(default_factory=list)


class Outbox:
    """The outbox of one home and chain: `outbox/<chain>/<name>.<how>.json`, one file for each call of `keep`, and
    `receipts/<chain>/<name>.json`, one for each answer."""

    def __init__(self, home: Path, genesis_hash: bytes) -> None:
        self._folder = home / "outbox" / genesis_hash.hex()[:32]
        self._receipts = home / "receipts" / genesis_hash.hex()[:32]
        self._genesis_hash = genesis_hash

    def keep(self, documents: Sequence[TxDocument], how: How) -> None:
        """Store the documents before their bytes leave the wallet. Raises `OperatorError`."""
        self._write(self._folder / f"{_name([document.txid for document in documents])}.{how}.json", documents)

    def read(self) -> tuple[dict[bytes, Kept], list[str]]:
        """All kept transactions by txid, the earliest expiry first; and why a file could not be read."""
        kept: dict[bytes, Kept] = {}
        errors = []
        for how in HOWS:
            for path in sorted(self._folder.glob(f"*.{how}.json")):
                try:
                    documents = read_documents(path, self._genesis_hash)
                except (OperatorError, Rejected) as error:
                    errors.append(str(error))
                    continue
                for document in documents:
                    entry = kept.setdefault(document.txid, Kept(document))
                    entry.hows += [how] if how not in entry.hows else []
        ordered = sorted(kept.items(), key=lambda item: (item[1].document.payload.expires_at_ms, item[0]))
        return dict(ordered), errors

    def forget(self, is_over: Callable[[TxDocument], bool]) -> None:
        """Remove the transactions of which nothing can come any more. A file that cannot be read stays."""
        for path in self._folder.glob("*.json"):
            with contextlib.suppress(OperatorError, Rejected):
                documents = read_documents(path, self._genesis_hash)
                left = [document for document in documents if not is_over(document)]
                if not left:
                    path.unlink(missing_ok=True)
                elif len(left) < len(documents):
                    self._write(path, left)

    def forget_expired(self, proven_ms: int) -> None:
        """Remove what no block can have any more. `proven_ms`: the time of a proven head."""
        self.forget(lambda document: document.payload.expires_at_ms < proven_ms)

    # --- receipts -----------------------------------------------------------------------------------------
    def keep_receipts(self, answered: Iterable[tuple[TxDocument, Any]]) -> None:
        """Keep the acceptance receipts that a node has answered with the transactions: should no block ever have one,
        they prove that it was handed in (`bmw-audit censorship`). What no node key has signed is no receipt."""
        kept = [
            {"acceptance": given, "transaction": document.raw.hex()}
            for document, given in answered
            if self._is_receipt(document, given)
        ]
        if kept:
            name = _name([bytes.fromhex(each["acceptance"]["txid"]) for each in kept])
            self._write_receipts(self._receipts / f"{name}.json", kept)

    def _is_receipt(self, document: TxDocument, given: Any) -> bool:
        try:
            acceptance: Acceptance = from_json(Acceptance, given, "acceptance")
        except Rejected:
            return False
        return acceptance.txid == document.txid and acceptance.is_signed(self._genesis_hash)

    def receipts(self) -> dict[bytes, Path]:
        """The file that has the receipt of a transaction, by txid."""
        return {bytes.fromhex(txid): path for path, kept in self._kept_receipts() for txid in kept}

    def drop_receipts(self, txids: Collection[bytes]) -> None:
        """Remove the receipts of transactions whose commit is proven. Those of expired ones stay."""
        for path, kept in self._kept_receipts():
            left = [each for txid, each in kept.items() if bytes.fromhex(txid) not in txids]
            if not left:
                path.unlink(missing_ok=True)
            elif len(left) < len(kept):
                self._write_receipts(path, left)

    def _kept_receipts(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Each file with its receipts by txid. A file that cannot be read stays."""
        for path in sorted(self._receipts.glob("*.json")):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                yield path, {each["acceptance"]["txid"]: each for each in json.loads(path.read_bytes())}

    def _write_receipts(self, path: Path, kept: list[dict[str, Any]]) -> None:
        write_file(path, (json.dumps(kept, indent=1) + "\n").encode())

    def _write(self, path: Path, documents: Sequence[TxDocument]) -> None:
        write_file(path, json.dumps([document.to_json() for document in documents]).encode())
