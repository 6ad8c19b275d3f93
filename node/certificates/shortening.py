"""The compact form of a certificate, made of the parts of a whole one (see `node.certificates.compact`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from node.certificates.canonical import decode, tagged, unpack
from node.certificates.compact import NO_EVIDENCE, VERSION
from node.certificates.verifier import Root, header_of, validators_of
from node.codec import encode
from node.crypto.state_tree import ENTRY, entries_of, slot_of
from node.errors import OperatorError


class CertificateUnavailable(OperatorError):
    """What a certificate needs is not there: blocks that the node has pruned, or the conditions of its form."""


def compact_of_file(file: bytes, root: Root) -> bytes:
    """The compact form of a history that `verifier.verify` has accepted. Raises `CertificateUnavailable`."""
    elements = decode(unpack(file), "the certificate")
    vin = elements[7][0]
    leaf, proof = next((value, proof) for key, value, proof in elements[6] if key == f"vehicle/{vin}")
    return compact_form(root.genesis_hash, root.validators, elements[5], vin, leaf, proof)


def compact_form(
    genesis_hash: bytes, validators: bytes, link: Sequence[Any], vin: str, leaf: bytes, proof: Sequence[Any]
) -> bytes:
    """The compact form of the state `leaf` of a car. `validators`: the encoding of the set of the root; `link` and
    `proof` as a whole certificate has them. Raises `CertificateUnavailable` where there is none: the validators are not
    those of the root any more, the header has evidence, or the car's bucket is a large one."""
    raw_header, round_, signatures = link[:3]
    header, known, (entries, siblings, large) = header_of(raw_header), validators_of(validators), proof
    is_fit = {header.validators_hash, header.next_validators_hash} == {tagged("bmw/validators", validators)}
    if not is_fit or header.evidence_root != NO_EVIDENCE or large is not None:
        raise CertificateUnavailable("this car has no compact certificate now: take the whole one")
    signed, power, total = list[int](), 0, sum(each.power for each in known)
    for n in sorted(range(len(known)), key=lambda n: (-known[n].power, n)):
        if signatures[n] and 3 * power <= 2 * total:
            signed.append(n)
            power += known[n].power
    signed.sort()
    bitmap = sum(1 << n for n in signed).to_bytes(-(-len(known) // 8), "little")
    proposer = next(n for n, each in enumerate(known) if each.address == header.proposer)
    slot = slot_of(f"vehicle/{vin}".encode())
    place = [entry[:32] for entry in entries_of(entries)].index(slot)
    others = entries[: ENTRY * place] + entries[ENTRY * (place + 1) :]
    return encode([
        VERSION, genesis_hash[:8], header.height, round_, header.time_ms, header.parent_id, proposer, header.tx_root,
        header.last_commit_hash, header.ruleset_hash, [signatures[n] for n in signed], bitmap, vin, leaf, place, others,
        list(siblings),
    ])  # fmt: skip
