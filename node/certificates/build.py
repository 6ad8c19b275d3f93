"""Certificates as a node makes them from its store, for `node.certificates.verifier` to verify (docs/CERTIFICATES.md).

A certificate is of the head, without co-signatures and note until it is `completed`. Its links lead from the genesis
document to it, so whoever has that needs nothing else.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable
from hashlib import sha256
from typing import Final, Literal

from node.certificates.canonical import CHECKSUM_BYTES, MAGIC
from node.certificates.shortening import CertificateUnavailable as CertificateUnavailable
from node.certificates.shortening import compact_form
from node.chain.block import Committed
from node.chain.genesis import Genesis, genesis_hash
from node.chain.trust import LightBlock, advance, genesis_trust
from node.chain.validators import ValidatorSet
from node.codec import encode
from node.crypto.hashing import tagged
from node.crypto.state_tree import StateProof
from node.errors import Rejected
from node.storage.chain_store import ChainReader
from node.txtypes.chain.validator_set import ValidatorEntry
from node.txtypes.members.member import FRAUDS, MEMBER
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT
from node.txtypes.vehicle.claims import ORDER_CLAIMS
from node.txtypes.vehicle.readings import ODOMETER
from node.txtypes.vehicle.record import content_digest, digest_of, face_of, stored_record
from node.txtypes.vehicle.vehicle import VEHICLE

Prove = Callable[[bytes], StateProof]
"""The proof of a state key against the root of the head."""
Form = Literal["whole", "redacted", "hidden"]
VERSION: Final = 1
DEFLATE_LEVEL: Final = 9
_NEITHER: Final = encode([]) + encode(None)
"""The end of a certificate without co-signatures and note."""


class _StoreSource:
    """A store as `trust.HeaderSource`."""

    def __init__(self, reader: ChainReader) -> None:
        self._reader = reader

    def committed(self, height: int) -> Committed:
        found = self._reader.committed(height)
        if found is None:
            raise CertificateUnavailable(f"block {height} is pruned here: ask a node that has it")
        return found

    def validators(self, height: int) -> Iterable[tuple[ValidatorEntry, ...]]:
        return (self._reader.validators(height).entries,)


class Certificates:
    """Makes certificates of the head of a store."""

    def __init__(self, genesis: Genesis, reader: ChainReader, prove: Prove) -> None:
        self._genesis, self._hash, self._reader, self._prove = genesis, genesis_hash(genesis), reader, prove

    def history(
        self, vin: str, form_of: Callable[[int], Form], *, with_odometer: bool = False, with_members: bool = False
    ) -> bytes | None:
        """The history of a car, to be `packed`; None for a VIN without a car. `form_of`: how the record of a
        sequence is given. `with_members`: with the proven values of the authors that are members."""
        raw = self._reader.state.get(VEHICLE.key(vin))
        if raw is None:
            return None
        count = VEHICLE.decode(raw).record_count
        records, authors = [], set[bytes]()
        for sequence, stored in self._reader.records(vin, 0, count):
            record, form = stored_record(stored), form_of(sequence)
            if form == "hidden":
                records.append([0, digest_of(record)])
                continue
            authors.add(face_of(record).author)
            whole = form == "whole"
            records.append(
                [2, record.face, record.content] if whole else [1, record.face, content_digest(record.content)]
            )
        keys = [VEHICLE.key(vin), FRAUDS.key("all")]
        if with_odometer:
            keys.append(ODOMETER.key(vin))
        if with_members:
            keys += [MEMBER.key(author) for author in authors]
        return self._certificate("history", keys, [vin, records])

    def absence(self, vin: str) -> bytes | None:
        """The proof that there is no car with the VIN, to be `packed`; None if there is one."""
        key = VEHICLE.key(vin)
        return None if self._reader.state.get(key) is not None else self._certificate("absence", [key], None)

    def order(self, ident: bytes) -> bytes | None:
        """The certificate of an order with its payments and open claims, before it is `packed`; None for an id without
        an order."""
        raw = self._reader.state.get(ORDER.key(ident))
        if raw is None:
            return None
        payments = [PAYMENT.key(payment) for payment in ORDER.decode(raw).payments]
        return self._certificate("order", [ORDER.key(ident), ORDER_CLAIMS.key(ident), *payments], None)

    def compact(self, vin: str) -> bytes | None:
        """The compact form (see `node.certificates.compact`); None for a VIN without a car. Raises
        `CertificateUnavailable` where there is none: the validators are not those of genesis any more, the head has
        evidence, or the car's bucket is a large one."""
        raw = self._reader.state.get(VEHICLE.key(vin))
        if raw is None:
            return None
        head, validators = self._head(), genesis_trust(self._genesis).validators
        link = [encode(head.block.header), head.commit.round, head.commit.signatures]
        return compact_form(
            self._hash, encode(validators.entries), link, vin, raw, _proof(self._prove(VEHICLE.key(vin)))
        )  # fmt: skip

    # --- parts ------------------------------------------------------------------------------------------------
    def _certificate(self, kind: str, keys: Collection[bytes], history: object) -> bytes:
        way = self._way()
        items = [[key.decode(), self._reader.state.get(key), _proof(self._prove(key))] for key in sorted(set(keys))]
        certificate = ["bmw-certificate", VERSION, kind, self._hash, way[:-1], way[-1], items, history, [], None]
        return encode(certificate)

    def _head(self) -> Committed:
        height = self._reader.height()
        if height < max(1, self._reader.first_height()):
            raise CertificateUnavailable("there is no block yet that a certificate could be of")
        return _StoreSource(self._reader).committed(height)

    def _way(self) -> list[list[object]]:
        """The headers that lead from genesis to the head, each with its certificate and sets, the head last."""
        source, head, way = _StoreSource(self._reader), self._head(), list[LightBlock]()
        try:
            advance(genesis_trust(self._genesis), LightBlock(head.block.header, head.commit), source, self._hash, way)
        except Rejected as error:
            raise CertificateUnavailable(f"the way from genesis to the head cannot be shown: {error}") from None
        trusted, links = genesis_trust(self._genesis).validators, list[list[object]]()
        for block in way:
            header = block.header
            own, following = self._reader.validators(header.height), self._reader.validators(header.height + 1)
            links.append([
                encode(header), block.commit.round, list(block.commit.signatures), _unless_same(own, trusted),
                _unless_same(following, own),
            ])  # fmt: skip
            trusted = following
        return links


def _unless_same(validators: ValidatorSet, before: ValidatorSet) -> bytes | None:
    return None if validators.hash == before.hash else encode(validators.entries)


def _proof(proof: StateProof) -> list[object]:
    large = proof.large
    shown = None if large is None else [large.count, large.index, [list(path) for path in large.paths]]
    return [proof.entries, list(proof.siblings), shown]


def completed(raw: bytes, witnesses: list[list[object]], note: Callable[[bytes], list[object]]) -> bytes:
    """A certificate's encoding with co-signatures, and with the note that `note` makes of everything before it."""
    assert raw.endswith(_NEITHER), "it has neither yet"
    before = raw[: -len(_NEITHER)] + encode(witnesses)
    return before + encode(note(before))


def note_bytes(genesis_hash: bytes, issued_ms: int, before: bytes) -> bytes:
    """What the issuer of a certificate signs, 32 bytes: `H("bmw/certificate-note", genesis_hash || issued_ms as 8 bytes
    || the encoding of the certificate up to the note)`."""
    return tagged("bmw/certificate-note", genesis_hash + issued_ms.to_bytes(8, "big") + before)


def packed(raw: bytes) -> bytes:
    """The file of a certificate's encoding (see `canonical.unpack`)."""
    deflater = zlib.compressobj(DEFLATE_LEVEL, zlib.DEFLATED, -15)
    deflated = deflater.compress(raw) + deflater.flush()
    return MAGIC + sha256(deflated).digest()[:CHECKSUM_BYTES] + deflated
