"""Transactions: built, signed, and passed as files between the signers and whoever submits.

    {"genesis_hash": "<32>", "payload": "<hex>", "signatures": [{"address", "public_key", "signature"}], "summary": {}}

`<32>` is 32 bytes in lower-case hex. `summary` is for people and is never read: only the payload counts. A file may
also have a list of such documents.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from node import limits
from node.codec import encode
from node.crypto.addresses import to_text
from node.crypto.signing import PrivateKey
from node.errors import BadSignature, Malformed, OperatorError, WrongChain
from node.ledger.body import TransactionBody, UnknownBody, type_of
from node.ledger.json_form import from_json, time_to_text, to_json
from node.ledger.signed import TxSignature, assemble, sign_bytes, txid_of
from node.txtypes import envelope
from node.txtypes.envelope import Payload
from wallet.files import read_file, write_file

FILE_BYTES_MAX: Final = 256 * 1024 * 1024
"""A million ordinary transactions. Above: refused; use several files."""


def build_payload(sender: bytes, body: TransactionBody, *, salt: int, expires_at_ms: int) -> bytes:
    """Canonical payload bytes, checked by the type's static rule. Raises `Malformed`."""
    raw = encode(Payload(sender, salt, expires_at_ms, body))
    envelope.decode_payload(raw)
    return raw


def sign_payload(payload_bytes: bytes, genesis_hash: bytes, address: bytes, key: PrivateKey) -> TxSignature:
    """The signature of `key` on behalf of the account `address`."""
    return TxSignature(address, key.public, key.sign(sign_bytes(genesis_hash, payload_bytes)))


# --- files ---------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class TxDocument:
    """A transaction with the signatures so far."""

    genesis_hash: bytes
    payload_bytes: bytes
    signatures: tuple[TxSignature, ...]

    @property
    def payload(self) -> Payload:
        return envelope.decode_payload(self.payload_bytes)

    @property
    def txid(self) -> bytes:
        return txid_of(self.genesis_hash, self.payload_bytes)

    @property
    def raw(self) -> bytes:
        """The signed bytes, the same for the same set of signatures."""
        return assemble(self.payload_bytes, list(self.signatures))

    def with_signature(self, added: TxSignature) -> TxDocument:
        """The document with one signature for each (account, key), in canonical order."""
        by_signer = {(s.address, s.public_key): s for s in (*self.signatures, added)}
        if len(by_signer) > limits.SIGNATURES_MAX:
            raise Malformed(f"a transaction has at most {limits.SIGNATURES_MAX} signatures")
        return replace(self, signatures=tuple(by_signer[signer] for signer in sorted(by_signer)))

    def summary(self) -> dict[str, Any]:
        payload = self.payload
        return {
            "txid": self.txid.hex(),
            "sender": to_text(payload.sender),
            "expires_at": time_to_text(payload.expires_at_ms),
            **to_json(payload.body),
        }

    def to_json(self) -> dict[str, Any]:
        return {
            "genesis_hash": self.genesis_hash.hex(),
            "payload": self.payload_bytes.hex(),
            "signatures": [to_json(signature) for signature in self.signatures],
            "summary": self.summary(),
        }


def parse_document(value: Any, genesis_hash: bytes, path: str) -> TxDocument:
    """The document in JSON, fully checked, with all its signatures verified. Raises `Malformed`, `WrongChain`,
    `BadSignature`; and `OperatorError` for a type that this software does not know, because nobody should sign what the
    wallet cannot show."""
    if not isinstance(value, dict):
        raise Malformed(f"{path}: not a transaction file")
    if unknown := sorted(set(value) - {"genesis_hash", "payload", "signatures", "summary"}):
        raise Malformed(f"{path}.{unknown[0]}: unknown field")
    try:
        theirs, payload = bytes.fromhex(value["genesis_hash"]), bytes.fromhex(value["payload"])
        listed = value.get("signatures", [])
        signatures = tuple(from_json(TxSignature, s, f"{path}.signatures[{i}]") for i, s in enumerate(listed))
    except KeyError as error:
        raise Malformed(f"{path}.{error.args[0]}: missing") from None
    except (TypeError, ValueError):
        raise Malformed(f"{path}: genesis_hash and payload in hex, and a list of signatures, are expected") from None
    if theirs != genesis_hash:
        raise WrongChain(
            f"{path} is for the chain with genesis hash {theirs.hex()}, this wallet for {genesis_hash.hex()}: "
            "name that chain's genesis with --genesis"
        )
    document = TxDocument(theirs, payload, signatures)
    try:
        envelope.check_signatures(envelope.decode_signed_tx(document.raw, genesis_hash), genesis_hash)
    except Malformed as error:
        raise Malformed(f"{path}: {error}") from None
    except BadSignature as error:
        raise BadSignature(f"{path}: {error}; have it signed again") from None
    if isinstance(document.payload.body, UnknownBody):
        tag = type_of(document.payload.body)
        raise OperatorError(f"{path}: this software does not know transactions of type {tag}: install a newer version")
    return document


def read_documents(path: Path, genesis_hash: bytes) -> list[TxDocument]:
    """The documents of a file with one document or a list. Raises as `parse_document`."""
    try:
        value = json.loads(read_file(path, FILE_BYTES_MAX, "transaction file"))
    except (ValueError, RecursionError) as error:
        raise OperatorError(f"{path} is not JSON ({error}): name a file made with tx --offline") from None
    if isinstance(value, list):
        return [parse_document(item, genesis_hash, f"{path}[{index}]") for index, item in enumerate(value)]
    return [parse_document(value, genesis_hash, str(path))]


def read_document(path: Path, genesis_hash: bytes) -> TxDocument:
    """The only document of a file. Raises as `parse_document`."""
    documents = read_documents(path, genesis_hash)
    if len(documents) != 1:
        raise Malformed(f"{path} has {len(documents)} transactions: sign them in one file each")
    return documents[0]


def write_document(path: Path, document: TxDocument) -> None:
    write_file(path, (json.dumps(document.to_json(), indent=2) + "\n").encode())
