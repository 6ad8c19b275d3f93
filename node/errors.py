"""The exception tree. Three kinds of error, three fates.

Exception
├── Rejected                  the sender is wrong: answer it, score the peer, go on
│   ├── Malformed             the bytes are not the canonical form of any value we know
│   ├── BadSignature          a signature does not verify, or is not one that libsodium accepts
│   ├── TooLarge              a bound of `limits` is passed
│   ├── WrongChain            another genesis hash
│   ├── InvalidBlock          an undecided block breaks a rule: prevote nil
│   ├── InvalidCertificate    a commit or polka certificate does not prove what it claims
│   ├── InvalidProof          a state or inclusion proof does not lead to the root
│   ├── ProtocolViolation     a peer broke the wire protocol
│   └── GuardsUnmet           a transaction does not hold now; carries every unmet guard
├── Corrupted                 stored data does not match its own hash: stop, tell the operator
├── OperatorError             configuration, files, ports: one sentence that names the mend
│   └── Busy                  somebody else holds what we need (a store, a port)
└── AssertionError            we are wrong: halt, but while judging an undecided block: prevote nil
"""

from __future__ import annotations

from typing import ClassVar


class Rejected(Exception):
    """The sender is wrong. `code` is stable and goes to the caller; the text is for people."""

    code: ClassVar[str] = "rejected"


class Malformed(Rejected):
    """The bytes are not the canonical encoding of a value we know."""

    code = "malformed"


class BadSignature(Rejected):
    code = "bad_signature"


class TooLarge(Rejected):
    code = "too_large"


class WrongChain(Rejected):
    code = "wrong_chain"


class InvalidBlock(Rejected):
    """A block breaks a rule. `index` is the transaction's place, -1 where the block itself is wrong."""

    code = "invalid_block"

    def __init__(self, rule: str, text: str, index: int = -1, txid: bytes = b"") -> None:
        super().__init__(f"{rule}: {text}" + (f" (transaction {index}, {txid.hex()})" if index >= 0 else ""))
        self.rule = rule
        self.index = index
        self.txid = txid


class InvalidCertificate(Rejected):
    code = "invalid_certificate"


class InvalidProof(Rejected):
    code = "invalid_proof"


class ProtocolViolation(Rejected):
    code = "protocol_violation"


class Corrupted(Exception):
    """Stored data does not match its own hash."""


class OperatorError(Exception):
    """What the operator can mend: the text is one sentence that names the mend."""


class Busy(OperatorError):
    """Another process holds the store, the key or the port."""
