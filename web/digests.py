"""Digests of what pages draw, for `<bmw-verify>`.

The browser compares them with what the chain's validators have signed. Each is computed from the values that are drawn
and not taken from the node's answer, so that a page which draws changed values has a digest which differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from node.codec import encode
from node.errors import Rejected
from node.ledger.json_form import from_json
from node.txtypes.registry import family_of
from wallet.history import Withheld, digest_of, record_of


def record_digest(record: Mapping[str, Any], sequence: int) -> str:
    """The digest, in hex, of a record as `GET /v1/vehicles/{vin}/history` answers it. Empty for one that cannot be
    read, and for one that says what the record is but has a digest in the place of the content that it hashes."""
    try:
        found = record_of(record, sequence)
    except Rejected:
        return ""
    is_told = isinstance(found, Withheld) and "kind" in record
    return "" if is_told else digest_of(found).hex()


def state_digest(key: str, decoded: Mapping[str, Any]) -> str:
    """The SHA-256, in hex, of a state value, for `data-state-digest`: of the form `decoded` in which
    `GET /v1/state/{key}` answers it. Empty for one that cannot be read. Views of values have computed fields and no
    digest: a page draws a price that readers can check from the state value."""
    family = family_of(key.encode())
    try:
        value = from_json(family.kind, decoded, key) if family is not None else None
    except Rejected:
        return ""
    return "" if value is None else sha256(encode(value)).hexdigest()
