"""The exception tree: three kinds of error, with three consequences.

Exception
├── Rejected                  the sender is wrong: answer it, score the peer, go on
│   ├── Malformed             the bytes are not the canonical encoding of a value we know
│   ├── BadSignature          a signature does not verify, or libsodium rejects its form
│   ├── TooLarge              a bound of `limits` is exceeded
│   ├── WrongChain            another genesis hash
│   ├── InvalidBlock          an undecided block breaks a rule: prevote nil
│   ├── InvalidCertificate    a commit or polka certificate does not prove what it claims
│   ├── InvalidProof          a state or inclusion proof does not lead to the root
│   ├── ProtocolViolation     a peer broke the wire protocol
│   └── GuardsUnmet           a transaction is not valid now; carries every unmet guard
├── Corrupted                 stored data does not match its own hash: stop, tell the operator
├── OperatorError             configuration, files, ports: one sentence that says how to fix it
│   └── Busy                  another process has what we need (a store, a port)
└── AssertionError            we are wrong: halt, except while judging an undecided block: prevote nil
"""

from __future__ import annotations

from typing import ClassVar


class Rejected(Exception):
    """The sender is wrong. `code` is stable and is returned to the caller; the text is for people."""

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
    """A block breaks a rule. `index` is the invalid transaction's, -1 where the block itself is invalid."""

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
    """The operator can fix it: the text is one sentence that says how."""


class Busy(OperatorError):
    """Another process holds the store, the key or the port."""
