"""A signed report: JSON whose signature covers the canonical form of its figures.

    message = "bmw/audit-report" || 0x00 || JCS(report)

JCS is RFC 8785; a report has no fractions, so sorted keys without white space are its canonical form. The signature is
Ed25519 (RFC 8032), which is deterministic: the same chain and key give the same bytes.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any, Final, NamedTuple

from node.audit.signed_report.figures import FORM
from node.crypto.addresses import address_of, to_text
from node.crypto.signing import PrivateKey, is_signature
from node.errors import Malformed

DOMAIN: Final = b"bmw/audit-report\x00"
REPORT_BYTES_MAX: Final = 16 * 1024 * 1024
"""A report of 100 validators has about 100 kB."""


class SignedReport(NamedTuple):
    """Figures with the signature over them. `signer`: the address of the account that the key opens."""

    report: dict[str, Any]
    public_key: bytes
    signature: bytes

    @property
    def signer(self) -> str:
        return to_text(address_of(self.public_key))

    @property
    def digest(self) -> str:
        """SHA-256 of the report's canonical form."""
        return sha256(canonical(self.report)).hexdigest()

    def to_bytes(self) -> bytes:
        """The file."""
        signature = {
            "algorithm": "ed25519",
            "signer": self.signer,
            "public_key": self.public_key.hex(),
            "signature": self.signature.hex(),
        }
        text = json.dumps({"report": self.report, "signature": signature}, ensure_ascii=False, indent=1)
        return text.encode() + b"\n"


def canonical(report: dict[str, Any]) -> bytes:
    """RFC 8785 of JSON whose numbers are integers, and whose names are ASCII."""
    return json.dumps(report, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def sign_report(report: dict[str, Any], key: PrivateKey) -> SignedReport:
    return SignedReport(report, key.public, key.sign(DOMAIN + canonical(report)))


def read_report(raw: bytes) -> SignedReport:
    """A file whose signature verifies. Raises `Malformed`. Whether to trust the signer is for the reader to judge."""
    if len(raw) > REPORT_BYTES_MAX:
        raise Malformed(f"the report has more than {REPORT_BYTES_MAX} bytes")
    try:
        document = json.loads(raw, parse_float=_no_fraction)
        report, entry = document["report"], document["signature"]
        found = SignedReport(report, bytes.fromhex(entry["public_key"]), bytes.fromhex(entry["signature"]))
        form, signer = report["form"], entry["signer"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Malformed("this is not a signed report: give the JSON that 'bmw-audit report' has written") from None
    if form != FORM:
        raise Malformed(f"the report has the form {str(form)[:40]!r}, this software reads {FORM}")
    if not is_signature(found.public_key, DOMAIN + canonical(report), found.signature):
        raise Malformed("the signature does not verify: the report, or the signature, was changed")
    if signer != found.signer:
        raise Malformed("the signer is not the address of the public key")
    return found


def _no_fraction(text: str) -> float:
    raise ValueError(f"{text} is no integer")
